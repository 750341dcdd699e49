"""The catalogue of everything that is measured: name, unit and meaning, for curves and their explanations."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """One measured quantity."""

    title: str
    """Short name for people."""
    meaning: str
    """What it says and what is good."""


METRICS: dict[str, Metric] = {
    "experience/predicted_return": Metric(
        "Predicted return",
        "Mean predicted reward per step of a rollout times the horizon, under the reward of that moment. "
        "Compare within one reward version only.",
    ),
    "experience/true_return": Metric(
        "True return",
        "Mean true return of recent episodes, exploration included. Nothing learns from it.",
    ),
    "experience/surprise": Metric(
        "Surprise at the world",
        "How much worse than usual a model foretells what follows an action, summed up over rollouts; near 0 "
        "is usual, and a lasting rise means that the world has changed.",
    ),
    "policy/entropy": Metric("Entropy", "Spread of the policy in nats; falls as it becomes sure of itself."),
    "policy/approx_kl": Metric(
        "KL", "How far one update moved the policy (k3 estimate, mean over the update)."
    ),
    "policy/clip_fraction": Metric("Clip fraction", "Share of samples whose probability ratio was clipped."),
    "policy/explained_variance": Metric(
        "Explained variance", "Share of the returns' variance that the critic foresaw; 1 is perfect."
    ),
    "policy/value_loss": Metric(
        "Value loss", "Squared error of the critic in units of the returns' variance."
    ),
    "policy/policy_loss": Metric("Policy loss", "Clipped surrogate objective, negated."),
    "policy/learning_rate": Metric("Learning rate", "Step size of the optimisers."),
    "policy/num_epochs": Metric("Epochs", "Passes over the rollout before the KL bound stopped the policy."),
    "policy/grad_norm": Metric("Gradient norm", "Mean norm of the policy's gradient before clipping."),
    "policy/reference_kl": Metric(
        "KL from the start",
        "How far the policy is from the one that it started from, while it is held to that.",
    ),
    "policy/explained_variance_before_refit": Metric(
        "Explained variance before the refit", "What the old critic foresaw of the new reward's returns."
    ),
    "policy/explained_variance_after_refit": Metric(
        "Explained variance after the refit", "The same after the critic was fitted to the new reward."
    ),
    "reward/out_of_bag_accuracy": Metric(
        "Right on unseen answers",
        "Share of answers that ensemble members predict right without having been fitted to them.",
    ),
    "reward/out_of_bag_nll": Metric(
        "Surprise at unseen answers",
        "Mean negative log-likelihood of those answers in nats; .69 is guessing.",
    ),
    "reward/train_accuracy": Metric(
        "Right on learned answers", "Share of the fitted answers predicted right."
    ),
    "reward/audit_accuracy": Metric(
        "Right on random pairs",
        "Share of randomly drawn pairs, the audit, that the model predicted right before the answer came.",
    ),
    "reward/correlation_with_previous": Metric(
        "Correlation with the reward before",
        "How alike the new reward and the last one judge the latest rollout; near 1 nothing has changed.",
    ),
    "reward/pessimism": Metric(
        "Pessimism",
        "Ensemble standard deviations taken off the reward that the policy follows; below 0 added to it.",
    ),
    "reward/audit_accuracy_low": Metric(
        "Right on random pairs, at least", "Lower end of the interval of that share (Wilson)."
    ),
    "reward/audit_accuracy_high": Metric(
        "Right on random pairs, at most",
        "Upper end of that interval. If even this is low, the reward model is wrong about what people want.",
    ),
    "reward/foresight": Metric(
        "Foresight",
        "How much more of the latest answers was foreseen than the model promised, in standard deviations: "
        "0 is as promised. Far below, people answer by something else than it has learned.",
    ),
    "reward/mean": Metric(
        "Mean reward", "Mean over the ensemble of a rollout's reward per step, in standard deviations."
    ),
    "reward/lower_bound": Metric(
        "Lower bound of the reward",
        "The same less one ensemble spread. A mean that rises without it is liked by some members only.",
    ),
    "reward/unfamiliar_share": Metric(
        "Unfamiliar behaviour",
        "Share of a rollout's steps about which the ensemble disagrees more than about nearly all answered "
        "clips; .05 is usual.",
    ),
    "policy/lead_over_champion": Metric(
        "Lead over the best policy stored",
        "How much more reward per step the newest policy gets at least, by the present reward model.",
    ),
    "policy/chance_against_champion": Metric(
        "Chance against the best policy stored",
        "Probability that people prefer the newest policy, by pairs of both they were shown; .5 if none.",
    ),
    "policy/chance_of_progress": Metric(
        "Chance of progress",
        "Probability that people prefer newer policies to older ones, by the latest blind pairs they were "
        "shown; .5 if none.",
    ),
    "reward/num_answers": Metric("Answers learned from", "Comparisons behind the reward version."),
    "seconds/experience": Metric("Collecting", "Seconds spent stepping environments, since the start."),
    "seconds/policy": Metric("Improving the policy", "Seconds spent in PPO, since the start."),
    "seconds/reward": Metric("Fitting the reward", "Seconds spent fitting and using the reward model."),
    "seconds/queries": Metric("Choosing pairs", "Seconds spent choosing what to ask, since the start."),
    "seconds/clips": Metric(
        "Drawing clips", "Seconds the trainer itself drew clips; a renderer is not counted."
    ),
}
"""Every name that ``storage.runs.add_measurements`` is given."""
