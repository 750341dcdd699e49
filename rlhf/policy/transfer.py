"""One policy as the start of another, also of a task with other observations or actions.

Layers are taken over where they fit. Where observations differ the first layer, the linear adapter to the
trunk, starts anew; where actions differ the head does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.errors import CheckpointError, ConfigError
from rlhf.policy.partial import with_actor
from rlhf.types.task import ActionSpace

Arrays = Mapping[str, npt.NDArray[Any]]


def widths_of(policy: Arrays) -> tuple[int, ...]:
    """Return the widths of a saved policy from input to output.

    Raises:
        CheckpointError: the arrays are no policy's.
    """
    num_layers = sum(name.startswith("weight_") for name in policy)
    if num_layers < 2 or "observation_clip" not in policy:
        raise CheckpointError(f"arrays named {', '.join(sorted(policy)) or 'nothing'} are no policy.")
    shapes = [policy[f"weight_{layer}"].shape for layer in range(num_layers)]
    return (*(int(rows) for rows, _ in shapes), int(shapes[-1][1]))


def new_layers(policy: Arrays, observation_dim: int, action_space: ActionSpace) -> set[int]:
    """Return the layers that cannot be taken over for a task of these spaces.

    Args:
        policy: of the source, from ``PolicySnapshot.to_arrays``.
        observation_dim: D of the target.
        action_space: of the target.
    """
    widths = widths_of(policy)
    is_head_new = action_space.size != widths[-1] or (action_space.kind == "continuous") != (
        "log_std" in policy
    )
    return ({0} if observation_dim != widths[0] else set()) | ({len(widths) - 2} if is_head_new else set())


def start_from(
    state: dict[str, Any],
    own: Arrays,
    policy: Arrays,
    action_space: ActionSpace,
    *,
    num_observed: int,
) -> dict[str, Any]:
    """Return the state of a PPO that acts as another policy did, as far as that fits.

    Args:
        state: of the PPO that is to start, from ``state_dict``.
        own: what it acts by now, from ``policy_arrays``; gives the layers that are new.
        policy: of the source.
        action_space: of the target.
        num_observed: observations behind the source's scale: so much it weighs beside those to come.

    Raises:
        ConfigError: the hidden layers are not of the same widths.
    """
    widths, own_widths = widths_of(policy), widths_of(own)
    if widths[1:-1] != own_widths[1:-1]:
        raise ConfigError(
            f"the source's hidden layers are {widths[1:-1]} wide, this run's {own_widths[1:-1]}; "
            "set ppo.hidden to the source's."
        )
    new = new_layers(policy, own_widths[0], action_space)
    num_layers = len(widths) - 1
    parts = []
    for layer in range(num_layers):
        chosen = own if layer in new else policy
        parts += [chosen[f"weight_{layer}"].ravel(), chosen[f"bias_{layer}"]]
    if "log_std" in own:
        parts.append((own if num_layers - 1 in new else policy)["log_std"])
    changed = with_actor(state, np.concatenate(parts).astype(np.float32))
    if 0 in new:
        return changed
    return changed | {
        "observations.mean": policy["observation_shift"].astype(np.float64),
        "observations.variance": 1.0 / np.square(policy["observation_scale"].astype(np.float64)),
        "observations.count": num_observed,
    }
