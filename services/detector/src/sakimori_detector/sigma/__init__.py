"""A streaming evaluator of Sigma rules, README.md shows it: rules from texts, events in, hits out.

It needs pySigma (with PyYAML), google-re2, regex, ahocorasick-rs and msgspec, and nothing else of Sakimori.
`ruleset` is the way in; `compiling`, `conditions` and `matcher` are what it is made of; `correlations`, `windows` and
`judging` count over time.
"""

from sakimori_detector.sigma.compiling import Vocabulary
from sakimori_detector.sigma.documents import Problem
from sakimori_detector.sigma.events import Event
from sakimori_detector.sigma.ruleset import Hit, PlainEvent, Rule, RuleSet, load_rules

__all__ = ["Event", "Hit", "PlainEvent", "Problem", "Rule", "RuleSet", "Vocabulary", "load_rules"]
