"""Which target a call gets: rules, tried in the order of the TOML; the first that matches wins."""

from proxy.rules.reach import overshadowed
from proxy.rules.rule import Considered, Goal, Rule, choose, explain
from proxy.rules.situation import Situation, Standing

__all__ = ["Considered", "Goal", "Rule", "Situation", "Standing", "choose", "explain", "overshadowed"]
