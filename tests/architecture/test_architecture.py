"""Rules that keep the code liveable, checked on the syntax tree; each failure names the file and line."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf.cli.bench import BENCHMARKS
from rlhf.cli.modules import module_of
from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.loop.report import STAGES
from rlhf.metrics import METRICS

MAX_LINES = {"rlhf": 500, "pages": 120, "app.py": 60}
LEVELS = {
    0: ("types", "errors", "checks", "config", "seeding", "metrics", "parallel", "tuning"),
    1: ("experience", "clips", "queries", "feedback", "reward", "policy", "evaluation", "storage"),
    2: ("loop",),
    3: ("worker", "benchmarks"),
    4: ("ui", "cli", "__main__"),
}
LEVEL_OF = {name: level for level, names in LEVELS.items() for name in names}
ENTRY_LEVEL = 5
FOR_UI = (
    "rlhf.ui",
    "rlhf.storage",
    "rlhf.experience.tasks",
    "rlhf.experience.variants",
    "rlhf.feedback",
    "rlhf.evaluation",
    "rlhf.policy.config",
    "rlhf.policy.partial",
    "rlhf.reward.ensemble",
    "rlhf.reward.features",
    "rlhf.worker.process",
    "rlhf.worker.demonstration_wire",
    "rlhf.loop.admit_people",
    "rlhf.loop.ask_about",
    "rlhf.loop.ask_again",
    "rlhf.loop.ask_from_map",
    "rlhf.loop.assess_people",
    "rlhf.loop.behaviour_map",
    "rlhf.loop.change_world",
    "rlhf.loop.config",
    "rlhf.loop.export_answers",
    "rlhf.loop.export_arrays",
    "rlhf.loop.fork_run",
    "rlhf.loop.look_at_source",
    "rlhf.loop.observed",
    "rlhf.loop.order_foresight",
    "rlhf.loop.order_ranking",
    "rlhf.loop.ways",
    "rlhf.loop.read_win_rate",
    "rlhf.loop.record_feedback",
    "rlhf.loop.record_item",
    "rlhf.loop.start_run",
    "rlhf.loop.supervise",
    "rlhf.loop.trace_segments",
    "rlhf.loop.void_answers",
    "rlhf.loop.write_design",
    *(f"rlhf.{name}" for name in LEVELS[0]),
)
BLIND_TO_TRUTH = ("reward", "policy", "queries", "clips")
KNOWS_TRUTH = {
    "ask_teacher": "teachers judge by it",
    "baseline": "a random policy's sets the teachers' scale, and is reported",
    "ask_about": "stores that of the moments asked about, for evaluation",
    "choose_queries": "stores that of the segments asked about, for teachers",
    "collect_experience": "keeps what environments pay",
    "compare_policies": "stores that of blind pairs, for teachers",
    "evaluate_policy": "reports",
    "foresee_run": "reports",
    "grade_reward": "reports",
    "export_answers": "writes it into files of their own, where that is asked for",
    "export_arrays": "writes it into a file of its own, where that is asked for",
    "learn_from_past": "studies of transfer learn by it",
    "memory": "keeps it until segments are cut",
    "publish": "reports",
    "record_replay": "stores that of what somebody watches, for evaluation",
    "record_demonstration": "stores that of what was shown, for teachers, and reports an expert's",
    "rank_sources": "reports",
    "short_arm": "is the reference where no reward was learned",
    "simulate": "reports",
    "train_on_true_reward": "is the reference",
}
"""Modules of the loop that may hold true rewards, and why; every other one is blind to them."""
SECRET = re.compile(r"(?<!has_)true_?(reward|return)|segment_truths", re.IGNORECASE)
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
METRIC_NAME = re.compile(r"(experience|clips|queries|feedback|reward|policy|evaluation)/[a-z_0-9]+")


def _files(*roots: str) -> list[Path]:
    found: list[Path] = []
    for root in roots:
        path = PROJECT_ROOT / root
        found += [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
    return found


def _shown(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(PROJECT_ROOT)}:{getattr(node, 'lineno', 1)}"


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _module(path: Path) -> str:
    parts = path.relative_to(PROJECT_ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def _known_modules() -> frozenset[str]:
    return frozenset(_module(path) for path in _files("rlhf"))


def _imports(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every module a file imports, also inside functions; ``from package import module`` gives the module."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_shown(path, node)}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield node, full if full in _known_modules() else str(node.module)


def _own_imports(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    return ((node, name) for node, name in _imports(path) if name.split(".")[0] == "rlhf")


def _part(module: str) -> str | None:
    """``rlhf.loop.config`` -> ``loop``; None for the package itself, which holds the version only."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def _is_below(module: str, roots: tuple[str, ...]) -> bool:
    return any(module == root or module.startswith(f"{root}.") for root in roots)


def test_every_part_of_the_package_has_a_level() -> None:
    parts = {_part(name) for name in _known_modules()} - {None}
    assert parts <= set(LEVEL_OF), f"give these a level: {sorted(map(str, parts - set(LEVEL_OF)))}"


def test_imports_only_go_down() -> None:
    wrong = []
    for path in _files("rlhf", "pages", "app.py"):
        part = _part(_module(path)) if path.is_relative_to(PROJECT_ROOT / "rlhf") else "entry"
        level = ENTRY_LEVEL if part == "entry" else 0 if part is None else LEVEL_OF[part]
        for node, name in _own_imports(path):
            target = _part(name)
            if target is None or target == part:
                continue
            # Level 0 is one family; on the other levels siblings do not know each other.
            allowed = LEVEL_OF[target] < level or (level == 0 and LEVEL_OF[target] == 0)
            if part == "__main__" and target == "cli":
                allowed = True
            if not allowed:
                wrong.append(f"{_shown(path, node)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_level_zero_is_free_of_heavy_libraries() -> None:
    heavy = {"torch", "streamlit", "sqlalchemy", "gymnasium", "mujoco"}
    roots = [f"rlhf/{name}" if name == "types" else f"rlhf/{name}.py" for name in LEVELS[0]]
    wrong = [
        f"{_shown(path, node)} imports {name}"
        for path in _files(*roots)
        for node, name in _imports(path)
        if name.split(".")[0] in heavy
    ]
    assert not wrong, "\n".join(wrong)


def test_ui_imports_only_what_a_web_process_may() -> None:
    wrong = [
        f"{_shown(path, node)} imports {name}"
        for path in _files("rlhf/ui")
        for node, name in _own_imports(path)
        if name != "rlhf" and not _is_below(name, FOR_UI)
    ]
    assert not wrong, "\n".join(wrong)


def test_torch_is_imported_only_where_networks_are() -> None:
    parts = ("types", "storage", "queries", "feedback", "clips", "experience", "ui", "evaluation")
    files = _files(*(f"rlhf/{part}" for part in parts), "pages", "app.py")
    wrong = [
        f"{_shown(path, node)} imports {name}"
        for path in files
        for node, name in _imports(path)
        if name.split(".")[0] == "torch"
    ]
    assert not wrong, "\n".join(wrong)


def test_pages_hold_widgets_only() -> None:
    """No SQL, no arrays and no learning in a page."""
    wrong = [
        f"{_shown(path, node)} imports {name}"
        for path in _files("pages", "app.py")
        for node, name in _imports(path)
        if name.split(".")[0] in {"sqlalchemy", "sqlite3", "numpy", "torch", "gymnasium", "mujoco"}
    ]
    assert not wrong, "\n".join(wrong)


def _loaded(heavy: set[str], *names: str) -> set[str]:
    """Return which of the heavy libraries a new interpreter has loaded after importing some modules."""
    program = (
        f"import importlib, sys\nfor name in {sorted(names)!r}:\n    importlib.import_module(name)\n"
        f"print(*sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT_ROOT,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_web_process_loads_neither_torch_nor_mujoco() -> None:
    names = {"rlhf.ui.routes", "rlhf.ui.server"}
    for path in _files("pages", "app.py"):
        names |= {name for _, name in _own_imports(path)}
    assert _loaded({"torch", "mujoco"}, *names) == set()


def test_a_fitted_reward_is_asked_without_torch() -> None:
    modules = (
        "rlhf.reward.attribution",
        "rlhf.reward.features",
        "rlhf.worker.runner",
        "rlhf.worker.renderer",
    )
    assert _loaded({"torch"}, *modules) == set()


@pytest.mark.parametrize("module", ["rlhf.policy.ppo", "rlhf.loop.train_on_true_reward"])
def test_small_networks_learn_without_torch(module: str) -> None:
    """It takes two seconds to import and more memory than everything else together."""
    assert _loaded({"torch"}, module) == set()


def test_the_command_line_imports_only_the_verb_that_is_asked_for() -> None:
    """A process of its own does each job, so this is a second of waiting each time."""
    assert _loaded({"numpy", "pandas", "gymnasium", "sqlalchemy"}, "rlhf.cli.main", "rlhf.cli.bench") == set()


def test_no_verb_needs_torch_to_say_what_it_takes() -> None:
    verbs = {f"rlhf.cli.{path.stem}" for path in (PROJECT_ROOT / "rlhf/cli").glob("*.py")}
    benchmarks = {name: module_of("rlhf.benchmarks", name) for name in BENCHMARKS}
    assert {name: module.NAME for name, module in benchmarks.items()} == {name: name for name in BENCHMARKS}
    assert _loaded({"torch"}, *verbs, *(module.__name__ for module in benchmarks.values())) == set()


@pytest.mark.parametrize("root", MAX_LINES)
def test_files_are_short(root: str) -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _files(root)}
    long = [f"{path.name}: {n} lines" for path, n in lengths.items() if n > MAX_LINES[root]]
    assert not long, f"at most {MAX_LINES[root]} lines: {', '.join(long)}"


def _words(node: ast.AST) -> list[str]:
    """The identifiers that a node itself introduces or uses, and text that could be a key or an attribute."""
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word):
            return [word]
        case ast.keyword(arg=str(word)) | ast.alias(name=word, asname=None):
            return [word]
        case ast.alias(name=word, asname=str(other)):
            return [word, other]
        case ast.FunctionDef(name=word) | ast.ClassDef(name=word):
            return [word]
        case ast.ImportFrom(module=str(word)):
            return [word]
        case ast.Constant(value=str(word)) if word.isidentifier():
            return [word]
    return []


def _secrets(path: Path) -> list[str]:
    return [
        f"{_shown(path, node)}: {word}"
        for node in ast.walk(_tree(path))
        for word in _words(node)
        if SECRET.search(word)
    ]


@pytest.mark.parametrize("stage", BLIND_TO_TRUTH)
def test_true_reward_cannot_reach_the_learner(stage: str) -> None:
    wrong = [found for path in _files(f"rlhf/{stage}") for found in _secrets(path)]
    assert not wrong, "\n".join(wrong)


def test_true_reward_is_in_few_places_of_the_loop() -> None:
    """What fits the reward and improves the policy must not even be able to name it."""
    found = {path.stem: secrets for path in _files("rlhf/loop") if (secrets := _secrets(path))}
    wrong = [secret for name, secrets in found.items() if name not in KNOWS_TRUTH for secret in secrets]
    assert not wrong, "\n".join(wrong)
    assert sorted(set(KNOWS_TRUTH) - set(found)) == [], "these need not know it any more"


def test_nothing_that_knows_the_true_reward_is_imported_where_rewards_are_fitted() -> None:
    knowing = {f"rlhf.loop.{name}" for name in KNOWS_TRUTH} | {"rlhf.feedback.teachers"}
    wrong = [
        f"{_shown(path, node)} imports {name}"
        for path in _files(
            *(f"rlhf/loop/{name}.py" for name in ("fit_reward", "store_reward", "improve_policy"))
        )
        for node, name in _own_imports(path)
        if name in knowing
    ]
    assert not wrong, "\n".join(wrong)


def test_environment_is_read_in_one_place() -> None:
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    wrong = []
    for path in _files("rlhf", "pages", "app.py"):
        if path == PROJECT_ROOT / "rlhf" / "config.py":
            continue
        for node in ast.walk(_tree(path)):
            match node:
                case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in names:
                    wrong.append(_shown(path, node))
                case ast.ImportFrom(module="os", names=found) if names & {alias.name for alias in found}:
                    wrong.append(_shown(path, node))
    assert not wrong, "\n".join(wrong)


def test_nothing_unpickles_or_evaluates() -> None:
    wrong = []
    for path in _files("rlhf", "pages", "app.py"):
        wrong += [
            f"{_shown(path, node)} imports {name}"
            for node, name in _imports(path)
            if name.split(".")[0] in UNSAFE_MODULES
        ]
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec", "compile", "__import__"):
                wrong.append(f"{_shown(path, node)} calls {node.func.id}")
            settings = {k.arg: k.value for k in node.keywords}
            for name, bad in (("allow_pickle", True), ("weights_only", False)):
                value = settings.get(name)
                if value is not None and not (isinstance(value, ast.Constant) and value.value is (not bad)):
                    wrong.append(f"{_shown(path, node)} does not say {name}={not bad}")
            match node.func:
                case ast.Attribute(value=ast.Name(id="torch"), attr="load" | "save" as verb):
                    wrong.append(f"{_shown(path, node)} uses torch.{verb}")
    assert not wrong, "\n".join(wrong)


def _fields(path: Path, class_name: str) -> set[str]:
    classes = (n for n in _tree(path).body if isinstance(n, ast.ClassDef) and n.name == class_name)
    body = next(classes).body
    return {n.target.id for n in body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}


def _measured() -> dict[str, str]:
    """Name -> where, of all metrics that the loop writes."""
    found: dict[str, str] = {}
    for path in _files("rlhf/loop"):
        source = path.read_text(encoding="utf-8")
        if "add_measurements" not in source:
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if METRIC_NAME.fullmatch(node.value):
                    found[node.value] = _shown(path, node)
            elif isinstance(node, ast.JoinedStr) and ast.unparse(node).startswith("f'policy/"):
                for field in _fields(PROJECT_ROOT / "rlhf/policy/stats.py", "PolicyStats"):
                    found[f"policy/{field}"] = _shown(path, node)
            elif isinstance(node, ast.JoinedStr) and ast.unparse(node).startswith("f'seconds/"):
                found |= {f"seconds/{stage}": _shown(path, node) for stage in STAGES}
    return found


def test_every_measurement_is_in_the_catalogue() -> None:
    measured = _measured()
    assert measured, "no measurement was found: does this test still read the right files?"
    unknown = [f"{where}: {name}" for name, where in measured.items() if name not in METRICS]
    assert not unknown, "\n".join(unknown)


def test_every_metric_of_the_catalogue_is_measured() -> None:
    assert sorted(set(METRICS) - set(_measured())) == []


def test_every_curve_that_is_shown_is_in_the_catalogue() -> None:
    unknown = [
        f"{_shown(path, node)}: {node.value}"
        for path in _files("rlhf/ui", "pages")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and METRIC_NAME.fullmatch(node.value)
        and node.value not in METRICS
    ]
    assert not unknown, "\n".join(unknown)


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt"])
def test_requirements_are_pinned(name: str) -> None:
    lines = (PROJECT_ROOT / name).read_text(encoding="utf-8").splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    loose = [
        line
        for line in wanted
        if line
        and not line.startswith("-")
        and not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+(\s*;.+)?", line)
    ]
    assert not loose, f"{name}: pin with '==': {', '.join(loose)}"


def test_readme_mentions_every_verb_of_the_command_line() -> None:
    tree = _tree(PROJECT_ROOT / "rlhf/cli/main.py")
    tables = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_VERBS"
    ]
    assert isinstance(tables[0], ast.Dict)
    verbs = {ast.literal_eval(key) for key in tables[0].keys if key is not None}
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    mentioned = set(re.findall(r"python -m rlhf ([a-z]+)", readme))
    assert sorted(verbs - mentioned) == []


def test_readme_mentions_every_environment_variable() -> None:
    names = set(re.findall(r"RLHF_[A-Z_]+", (PROJECT_ROOT / "rlhf/config.py").read_text(encoding="utf-8")))
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert sorted(name for name in names if name not in readme) == []
