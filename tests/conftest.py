"""Isolation that nobody has to remember: no test sees this machine's home, keys, Airflow or
language, and none throws dice."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

# Before the first import of Airflow, which reads its environment once.
_AIRFLOW = Path(tempfile.mkdtemp(prefix="vigie-airflow-"))
os.environ.update(
    AIRFLOW_HOME=str(_AIRFLOW),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(Path(__file__).parent.parent / "dags"),
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    GX_ANALYTICS_ENABLED="False",
    HF_HUB_OFFLINE="1",
    VIGIE_RETRY_SECONDS="0",
)
for name in ("LC_ALL", "LC_MESSAGES"):
    os.environ.pop(name, None)
os.environ["LANG"] = "C.UTF-8"
for name in [name for name in os.environ if name.startswith("VIGIE_") and "RETRY" not in name]:
    del os.environ[name]

# The same examples at each run, and as much time for one as a busy machine needs; to look for new
# ones: `pytest --hypothesis-profile default`.
settings.register_profile(
    "same",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")
