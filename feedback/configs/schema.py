"""The wire's structs of feedback configurations, in LangSmith's own names (`langsmith.schemas` 0.15.0)."""

from __future__ import annotations

from msgspec import Struct, structs

from feedback.configs.feedback_config import FeedbackCategory, FeedbackConfig, Number, SubjectPolicy
from feedback.errors import Invalid
from feedback.validation import MAX_KEY, check_name, check_number, parse_id

FEWEST_CATEGORIES = 2
"""How many categories must remain when some are removed, as LangSmith has it."""


class FeedbackConfigCreate(Struct):
    """Asks for a key's configuration. Without `is_lower_score_better` the key keeps its direction, or that of its name.

    `subject_policy` is no field of LangSmith's; its clients send it within `feedback_config`, which is taken, too.
    """

    feedback_key: str
    feedback_config: FeedbackConfig
    is_enforced: bool = False
    is_lower_score_better: bool | None = None
    subject_policy: SubjectPolicy | None = None

    def validate(self) -> None:
        """Refuse a key or a configuration that no answer could have (`Invalid`); the policy gets its one place."""
        check_name("feedback_key", self.feedback_key, MAX_KEY)
        self.feedback_config.validate()
        self.subject_policy = _taken_out(self.feedback_config, self.subject_policy)
        self.is_lower_score_better = _side(self.feedback_config, self.is_lower_score_better)


class FeedbackConfigPatch(Struct):
    """What of a key's configuration is to change; what is left out, or null, stays."""

    feedback_key: str
    id: str | None = None
    feedback_config: FeedbackConfig | None = None
    is_lower_score_better: bool | None = None
    add_categories: list[FeedbackCategory] | None = None
    remove_categories: list[Number] | None = None
    subject_policy: SubjectPolicy | None = None

    def validate(self) -> None:
        """Refuse what could not be changed so (`Invalid`); the id gets its one spelling."""
        check_name("feedback_key", self.feedback_key, MAX_KEY)
        if self.id is not None:
            self.id = parse_id("id", self.id)
        if self.feedback_config is not None:
            self.feedback_config.validate()
            self.subject_policy = _taken_out(self.feedback_config, self.subject_policy)
            self.is_lower_score_better = _side(self.feedback_config, self.is_lower_score_better)
        for value in self.remove_categories or ():
            check_number("remove_categories[]", value)

    def changed(self, config: FeedbackConfig) -> FeedbackConfig:
        """The configuration after the change. Errors: `Invalid`."""
        new = self._turned(self.feedback_config.keeping(config) if self.feedback_config else config)
        if self.add_categories is None and self.remove_categories is None:
            return new
        if new.type != "categorical":
            raise Invalid(f"The key's configuration is {new.type}; only a categorical one has categories to change")
        categories = self._remaining(new.categories or []) + (self.add_categories or [])
        edited = structs.replace(new, categories=categories)
        edited.validate()
        return edited

    def _turned(self, config: FeedbackConfig) -> FeedbackConfig:
        """The configuration in the direction that `is_lower_score_better` asks for."""
        is_lower = self.is_lower_score_better
        if is_lower is not None and config.direction is not None and config.direction != "none":
            config = structs.replace(config, direction="lower" if is_lower else "higher")
        elif is_lower is not None and (self.feedback_config is None or self.feedback_config.direction is None):
            config = structs.replace(config, direction=None)
        if is_lower is not None and config.kind in ("thumbs", "reversed_thumbs"):
            config = structs.replace(config, kind="reversed_thumbs" if is_lower else "thumbs")
        return config

    def _remaining(self, categories: list[FeedbackCategory]) -> list[FeedbackCategory]:
        removed = set(self.remove_categories or ())
        if unknown := removed - {category.value for category in categories}:
            names = ", ".join(f"{value:g}" for value in sorted(unknown))
            raise Invalid(f"`remove_categories` names {names}, which the configuration does not have")
        left = [category for category in categories if category.value not in removed]
        if removed and len(left) < FEWEST_CATEGORIES:
            raise Invalid(f"{len(left)} categories would remain; leave {FEWEST_CATEGORIES} at least")
        return left


class FeedbackConfigSchema(Struct):
    """A key's configuration. `is_first` is what answers are held to that name no other; an enforced one goes before."""

    id: str
    feedback_key: str
    feedback_config: FeedbackConfig
    tenant_id: str
    modified_at: str
    is_lower_score_better: bool
    is_enforced: bool
    is_first: bool
    is_deleted: bool
    subject_policy: SubjectPolicy


def _taken_out(config: FeedbackConfig, policy: SubjectPolicy | None) -> SubjectPolicy | None:
    """The policy that is asked for, beside the configuration or within it, where it is no more then."""
    within, config.subject_policy = config.subject_policy, None
    if policy and within and policy != within:
        raise Invalid(f"`subject_policy` is {policy}, and {within} within `feedback_config`; send one of the two")
    return policy or within


def _side(config: FeedbackConfig, is_lower: bool | None) -> bool | None:
    """Whether lower scores are better, as `is_lower_score_better`, `direction` or `kind` says; None where none does."""
    named = {"higher": False, "lower": True, "thumbs": False, "reversed_thumbs": True}
    for name in (config.direction, config.kind):
        side = named.get(name or "")
        if side is not None and is_lower is not None and side != is_lower:
            raise Invalid(f"`is_lower_score_better` is {str(is_lower).lower()}, and `feedback_config` says {name}")
        is_lower = side if is_lower is None else is_lower
    return is_lower
