import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Box2D's compiled module warns while it is being imported, and crashes if the warning becomes an error.
    config.addinivalue_line("filterwarnings", "ignore:builtin type swig.*:DeprecationWarning")
    config.addinivalue_line("filterwarnings", "ignore:builtin type Swig.*:DeprecationWarning")
