"""The wire's structs of feedback configurations, in LangSmith's own names (`langsmith.schemas` 0.15.0)."""

from __future__ import annotations

from msgspec import Struct, structs

from feedback.configs.feedback_config import FeedbackCategory, FeedbackConfig, Number, SubjectPolicy
from feedback.errors import Invalid
from feedback.validation import MAX_KEY, check_name, check_number, parse_id

FEWEST_CATEGORIES = 2
"""How many categories must remain after a removal, as in LangSmith."""


class FeedbackConfigCreate(Struct):
    """Request a feedback key's configuration.

    Without `is_lower_score_better` the direction stays, or follows from the feedback key's name. LangSmith has no
    `subject_policy` here; its clients can send it inside `feedback_config`.
    """

    feedback_key: str
    feedback_config: FeedbackConfig
    is_enforced: bool = False
    is_lower_score_better: bool | None = None
    subject_policy: SubjectPolicy | None = None

    def validate(self) -> None:
        """Reject a feedback key or configuration that cannot be used (`Invalid`); move the policy to its own field."""
        check_name("feedback_key", self.feedback_key, MAX_KEY)
        self.feedback_config.validate()
        self.subject_policy = _take_policy(self.feedback_config, self.subject_policy)
        self.is_lower_score_better = _side(self.feedback_config, self.is_lower_score_better)


class FeedbackConfigPatch(Struct):
    """Changes of a feedback key's configuration; omitted or null fields stay."""

    feedback_key: str
    id: str | None = None
    feedback_config: FeedbackConfig | None = None
    is_lower_score_better: bool | None = None
    add_categories: list[FeedbackCategory] | None = None
    remove_categories: list[Number] | None = None
    subject_policy: SubjectPolicy | None = None

    def validate(self) -> None:
        """Reject an invalid change (`Invalid`); normalize the id."""
        check_name("feedback_key", self.feedback_key, MAX_KEY)
        if self.id is not None:
            self.id = parse_id("id", self.id)
        if self.feedback_config is not None:
            self.feedback_config.validate()
            self.subject_policy = _take_policy(self.feedback_config, self.subject_policy)
            self.is_lower_score_better = _side(self.feedback_config, self.is_lower_score_better)
        for value in self.remove_categories or ():
            check_number("remove_categories[]", value)

    def change_config(self, config: FeedbackConfig) -> FeedbackConfig:
        """Return the configuration after the change. Errors: `Invalid`."""
        new = self._turn_direction(self.feedback_config.keep_description(config) if self.feedback_config else config)
        if self.add_categories is None and self.remove_categories is None:
            return new
        if new.type != "categorical":
            raise Invalid(f"The key's configuration is {new.type}; only a categorical one has categories to change")
        categories = self._list_remaining(new.categories or []) + (self.add_categories or [])
        edited = structs.replace(new, categories=categories)
        edited.validate()
        return edited

    def _turn_direction(self, config: FeedbackConfig) -> FeedbackConfig:
        """Return the configuration in the direction that `is_lower_score_better` requests."""
        is_lower = self.is_lower_score_better
        if is_lower is not None and config.direction is not None and config.direction != "none":
            config = structs.replace(config, direction="lower" if is_lower else "higher")
        elif is_lower is not None and (self.feedback_config is None or self.feedback_config.direction is None):
            config = structs.replace(config, direction=None)
        if is_lower is not None and config.kind in ("thumbs", "reversed_thumbs"):
            config = structs.replace(config, kind="reversed_thumbs" if is_lower else "thumbs")
        return config

    def _list_remaining(self, categories: list[FeedbackCategory]) -> list[FeedbackCategory]:
        removed = set(self.remove_categories or ())
        if unknown := removed - {category.value for category in categories}:
            names = ", ".join(f"{value:g}" for value in sorted(unknown))
            raise Invalid(f"`remove_categories` names {names}, which the configuration does not have")
        left = [category for category in categories if category.value not in removed]
        if removed and len(left) < FEWEST_CATEGORIES:
            raise Invalid(f"{len(left)} categories would remain; leave {FEWEST_CATEGORIES} at least")
        return left


class FeedbackConfigSchema(Struct):
    """A feedback key's configuration. The `is_first` one applies to feedback without its own, after an enforced one."""

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


def _take_policy(config: FeedbackConfig, policy: SubjectPolicy | None) -> SubjectPolicy | None:
    """Return the requested policy, from beside the configuration or inside it, and remove the inner one."""
    within, config.subject_policy = config.subject_policy, None
    if policy and within and policy != within:
        raise Invalid(f"`subject_policy` is {policy}, and {within} within `feedback_config`; send one of the two")
    return policy or within


def _side(config: FeedbackConfig, is_lower: bool | None) -> bool | None:
    """Return whether lower scores are better, by `is_lower_score_better`, `direction` or `kind`; None if unset."""
    named = {"higher": False, "lower": True, "thumbs": False, "reversed_thumbs": True}
    for name in (config.direction, config.kind):
        side = named.get(name or "")
        if side is not None and is_lower is not None and side != is_lower:
            raise Invalid(f"`is_lower_score_better` is {str(is_lower).lower()}, and `feedback_config` says {name}")
        is_lower = side if is_lower is None else is_lower
    return is_lower
