"""``design``: what a run's reward should be before anybody answers, and what answers made of it."""

import argparse
from typing import Any

from rlhf.cli.output import add_json_option, finish, table
from rlhf.cli.store import open_store
from rlhf.errors import ConfigError
from rlhf.loop.observed import designable
from rlhf.loop.write_design import in_words, write_design
from rlhf.storage import designs, models
from rlhf.storage.engine import reading
from rlhf.types.design import Design, Potential, Term

_COLUMNS = ("feature", "designed", "learned", "95 % interval", "moved by")
_NORMAL_95 = 1.96


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run_id", metavar="RUN", help="alone: what was designed and learned, and what can be")
    parser.add_argument(
        "--set",
        metavar="FEATURE=WEIGHT",
        action="append",
        nargs="+",
        default=[],
        dest="weights",
        help="what one standard deviation of a feature is worth, such as 'forward velocity=1'; the design "
        "becomes exactly what is set",
    )
    parser.add_argument(
        "--sure", type=float, default=0.5, help="how sure the weights are, 0.05 to 0.95 (default %(default)s)"
    )
    parser.add_argument(
        "--potential",
        metavar="FEATURE=WEIGHT[@TARGET]",
        help="shape the way there without changing the goal: more of the feature, or nearer to the target",
    )
    parser.add_argument("--clear", action="store_true", help="take the design back")
    parser.add_argument("--note", default="", help="why, kept with the design")
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Write a design if one is given, and print what holds."""
    design = _read(options)
    engine, blobs = open_store()
    if design is not None:
        write_design(engine, blobs, options.run_id, design, by=None, note=options.note)
    with reading(engine) as connection:
        features = designable(connection, blobs, options.run_id)
        number, holds = designs.newest_design(connection, options.run_id)
        report = models.latest_reward_report(connection, options.run_id)
    learned = report.get("terms", []) if report.get("design") == number else []
    result = {
        "run": options.run_id,
        "number": number,
        "design": holds.to_dict(),
        "learned": learned,
        "features": features,
    }
    return finish(options, result, _text(holds, learned, features))


def _read(options: argparse.Namespace) -> Design | None:
    """Return the design that the options describe, or None where they only ask."""
    weights = [_feature_and_number("--set", text) for group in options.weights for text in group]
    if options.clear:
        if weights or options.potential:
            raise ConfigError("--clear takes everything back; leave out --set and --potential.")
        return Design()
    potential = None
    if options.potential:
        text, _, target = options.potential.partition("@")
        feature, weight = _feature_and_number("--potential", text)
        near = _number("--potential", target) if target else None
        potential = Potential(feature=feature, weight=weight, target=near)
    if not weights and potential is None:
        return None
    terms = tuple(Term(feature=name, weight=weight, sure=options.sure) for name, weight in weights)
    return Design(terms=terms, potential=potential)


def _feature_and_number(option: str, text: str) -> tuple[str, float]:
    feature, separator, number = text.rpartition("=")
    if not separator or not feature.strip():
        raise ConfigError(f"{option} {text!r} must look like 'forward velocity=1'.")
    return feature.strip(), _number(option, number)


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {text!r} is no number.") from error


def _text(design: Design, learned: list[dict[str, Any]], features: dict[str, str]) -> str:
    text = f"Designed: {in_words(design)}."
    if learned:
        rows = [
            (
                one["feature"],
                f"{one['weight']:+.2f} ± {one['sd']:.2f}",
                f"{one['learned']:+.2f}",
                f"{one['learned'] - _NORMAL_95 * one['learned_sd']:+.2f} to "
                f"{one['learned'] + _NORMAL_95 * one['learned_sd']:+.2f}",
                f"{one['learned'] - one['weight']:+.2f}",
            )
            for one in learned
        ]
        text += f"\n\n{table(_COLUMNS, rows)}"
    elif design.terms:
        text += " The next reward version starts from it."
    names = ", ".join(f"{name} ({unit})" if unit else name for name, unit in features.items())
    return f"{text}\n\nFeatures: {names}."
