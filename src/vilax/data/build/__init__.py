"""Shards and indexes out of folders of pictures, annotations, and any corpus that is read."""

from vilax.data.build.job import REPORT, Built, build
from vilax.data.build.layouts import LAYOUTS
from vilax.data.build.plan import Plan, Source, parse_size, plan_build

__all__ = ["LAYOUTS", "REPORT", "Built", "Plan", "Source", "build", "parse_size", "plan_build"]
