"""Settings of the choice of queries."""

import dataclasses

from rlhf.queries.acquisition import ACQUISITIONS


@dataclasses.dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """What to ask next."""

    acquisition: str = "disagreement"
    """How candidates are scored: ``random``, ``disagreement``, ``entropy``, ``bald`` or
    ``information_gain``. Even ``random`` leaves out predicted ties and repeats; for queries blind to the
    model set ``audit_share`` to 1."""
    candidates_per_query: int = 10
    """Candidate pairs looked at for each query asked. More find better questions, and more extreme ones."""
    audit_share: float = 0.15
    """Share of queries drawn at random from recent behaviour, the only unbiased test; 0.1 to 0.3."""
    repeat_share: float = 0.05
    """Share of a person's questions that show a pair they answered a while ago, sides changed. Somebody who
    presses at random passes four such tests once in 16 times; with 0.05 those four come within 100 answers,
    with 0.03 within 150. Repeats are learned from, so little is lost: with none, 5 or 10 of 100 answers being
    repeats, rewards over 20 features correlated .878, .870 and .872 (+- .006) with the truth. 0 to 0.1."""
    gold_share: float = 0.03
    """Share of a person's questions with a known right answer, as long as there are marked pairs that are new
    to them. Nothing is learned from those. 0 to 0.1."""
    win_rate_share: float = 0.05
    """Share of the answers that are about two saved policies from the same start: does practice make the
    behaviour better in people's eyes? Nothing is learned from those. More: a narrower interval sooner, and
    fewer answers that teach; 0 to 0.1."""
    new_versus_old_share: float = 0.25
    """Share of candidates that compare recent behaviour with that of an older policy."""
    low_density_share: float = 0.0
    """Share of candidates with a segment unlike all that has been asked about, where the reward is least
    known. What the two shares leave is near-on-policy: both segments from recent behaviour."""
    endings_share: float = 0.5
    """Where outcomes are an input of the reward (``reward.use_endings``): so many clips that show how an
    episode ended join each clip of practice that pairs are chosen from, at most one of every episode. They
    are rare among those of a long episode, and what a policy will do hangs on them. None is in an audit. Of
    the clips that the first pairs are chosen from it is a share, whatever the inputs."""
    recent_episodes: int = 10
    """How many of the newest episodes count as near-on-policy."""
    look_alike_distance: float = 0.2
    """Two clips look alike if their motion differs by less than this many standard deviations (root mean
    square over what is measured of it). Nobody can tell such a pair apart, and a pair whose clips both look
    like those of an earlier one has been asked before; neither is asked. 0 to 0.5."""
    repeat_percentile: float = 25.0
    """Within a batch no pair is nearer to a chosen one than this percentile of the candidates' distances
    from the first choice, as long as others are left."""
    tie_margin: float = 0.03
    """A mean probability within this of one half counts as a predicted tie..."""
    tie_spread: float = 0.03
    """...if the members' standard deviation is below this too; such pairs are not asked. Both are for members
    that are sure of the pairs asked so far; as far as they are not, both are smaller."""
    num_clusters: int = 8
    """Kinds of behaviour that the segments are grouped into, for ``cluster_share``."""
    cluster_share: float = 1.0
    """No more of a batch than this has a clip of any one kind of behaviour, unless the kind makes up more of
    the candidates: disagreement alone picks falls and glitches over and over. 1: no limit."""
    chain_length: int = 1
    """Up to so many queries in a row share clips: the newer clip of one comes again in the next, beside a
    new one, so that fewer clips have to be watched. 1: every query shows two clips of its own."""

    overlap_share: float = 0.1
    """Share of queries asked of ``overlap_answers`` different people while several people answer, so that
    their agreement is known. Each costs an answer that could have been about a new pair."""
    overlap_answers: int = 2
    """How many different people such a query is asked."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.overlap_answers < 2:
            raise ValueError(f"overlap_answers is {self.overlap_answers}; it must be at least 2.")
        if self.acquisition not in ACQUISITIONS:
            raise ValueError(f"acquisition is {self.acquisition!r}; allowed are {', '.join(ACQUISITIONS)}.")
        for name in ("candidates_per_query", "recent_episodes", "num_clusters", "chain_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        shares = ("audit_share", "repeat_share", "gold_share", "win_rate_share", "cluster_share")
        for name in (*shares, "endings_share", "new_versus_old_share", "low_density_share", "overlap_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; a share lies in [0, 1].")
        if self.new_versus_old_share + self.low_density_share > 1.0:
            raise ValueError(
                f"new_versus_old_share and low_density_share are {self.new_versus_old_share} and "
                f"{self.low_density_share}; together they must not pass 1."
            )
        if not 0.0 <= self.repeat_percentile <= 100.0:
            raise ValueError(f"repeat_percentile is {self.repeat_percentile}; a percentile lies in [0, 100].")
        if not self.look_alike_distance >= 0.0:
            raise ValueError(f"look_alike_distance is {self.look_alike_distance}; it must not be negative.")
