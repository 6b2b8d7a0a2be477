"""``python -m airflow_provider_klingvideo.cli``."""

import sys

from airflow_provider_klingvideo.cli.main import main

sys.exit(main())
