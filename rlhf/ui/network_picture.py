"""A policy's network as a small picture: which layers learn, which stay, which are new."""

from collections.abc import Collection, Sequence

from rlhf.policy.config import Update
from rlhf.policy.partial import learning_layers

_LEARNS, _STAYS = "#5f6fe6", "#8a90a2"
_SMALL = 0.25
"""Share of a layer that is coloured where it learns a change of low rank."""


def network_picture(widths: Sequence[int], new: Collection[int], update: Update) -> str:
    """Return HTML, as wide as there is room, that says in words what it shows.

    Args:
        widths: of the network from input to output.
        new: layers that start anew.
        update: which parameters learn.
    """
    num_layers = len(widths) - 1
    learning = learning_layers(update, num_layers)
    boxes, said = [], []
    for layer in range(num_layers):
        share = 1.0 if layer in learning else _SMALL if update == "low-rank" else 0.0
        word = {1.0: "learns", 0.0: "stays"}.get(share, "learns a little")
        name = _name(layer, num_layers)
        more = "is new, " if layer in new else ""
        said.append(f"{name} {more}{word}")
        size = f"{widths[layer]} × {widths[layer + 1]}"
        boxes.append(_layer(share, name, size, f"{more}{word}", is_new=layer in new))
    summary = f"{widths[0]} numbers in, {widths[-1]} out: {'; '.join(said)}"
    arrow = '<span aria-hidden="true" style="align-self:center;opacity:.6">→</span>'
    ends = [f'<span style="align-self:center">{word}</span>' for word in ("sees", "acts")]
    inner = arrow.join([ends[0], *boxes, ends[1]])
    return (
        f'<div role="img" aria-label="{summary}" style="display:flex;flex-wrap:wrap;gap:.35rem;'
        f'font-size:.85rem;line-height:1.35">{inner}</div>'
    )


def _name(layer: int, num_layers: int) -> str:
    if layer == 0:
        return "First layer"
    if layer == num_layers - 1:
        return "Head"
    return f"Trunk {layer}" if num_layers > 3 else "Trunk"


def _layer(share: float, name: str, size: str, words: str, *, is_new: bool) -> str:
    """Draw one layer; the share that learns is coloured from below."""
    edge = f"2px {'dashed' if is_new else 'solid'} {_LEARNS if share else _STAYS}"
    fill = f"linear-gradient(to top,{_LEARNS}66 {share:.0%},{_STAYS}2e {share:.0%})"
    return (
        f'<div style="flex:1 1 4.2rem;max-width:9rem;padding:.7rem .3rem;text-align:center;border-radius:8px;'
        f'border:{edge};background:{fill}"><b>{name}</b><br>{size}<br>{words}</div>'
    )
