"""Recorded requests of the official clients about feedback, in the order in which they were sent.

From langsmith 0.15.0 (Python) and 0.12.0 (JavaScript), workflowai 0.6.10 and 1.6.8, evalguardai 2.2.3. Each entry is
the client's call, the method, the path below the base, the body, and what the client needs of the response: a status,
or a name of `NEEDS` in `test_recorded_requests.py`. `{token}` stands for the client's first token, `{run_token}` for a
run's.
"""

from __future__ import annotations

from typing import Any

Recorded = tuple[str, str, str, Any, str | int]

RUN = "018f0000-0000-7000-8000-000000000001"
SESSION = "00000000-0000-0000-0000-000000000002"
JS_SESSION = "00000000-0000-4000-8000-000000000002"
STARS = {"type": "continuous", "min": 1, "max": 5}
JS_STARS = {"type": "continuous", "min": 0, "max": 5}
YES_NO = {"type": "categorical", "categories": [{"value": 1, "label": "yes"}, {"value": 0, "label": "no"}]}
TOPICS = {
    "type": "categorical",
    "categories": [{"value": 0, "label": "a"}, {"value": 1, "label": "b"}],
    "allows_multiple_categories": True,
}
THREE_HOURS = {"days": 0, "hours": 3, "minutes": 0}
API = {"type": "api", "metadata": {}}
FIRST, SECOND, THIRD, FOURTH, FIFTH, ASYNC = (
    "01a200eb-ac46-7440-8bf6-d6a6a6a242aa",
    "01a200eb-aca3-748b-8042-9eae5201f482",
    "01a200eb-acd3-74df-a0de-d3446aa02427",
    "01a200eb-ad03-722c-bc22-250a6b265f61",
    "7899852a-5ad4-444c-ba98-06b7ae9046f1",
    "01a200eb-b1f3-7665-914a-78d360a5c7f5",
)
JS_FIRST = "01a200d9-885e-763f-96ca-ed691f736217"


def minting(key: str, token_id: str, config: Any = None, **expiry: Any) -> dict[str, Any]:
    return {"run_id": RUN, "feedback_key": key, "feedback_config": config, "id": token_id, **expiry}


def batched(key: str, config: Any = None, **expiry: Any) -> dict[str, Any]:
    expiry = expiry or {"expires_in": THREE_HOURS, "expires_at": None}
    return {"run_id": RUN, "feedback_key": key, "feedback_config": config, **expiry}


def submission(**fields: Any) -> dict[str, Any]:
    return {"score": 1, "value": None, "correction": None, "comment": None, "metadata": None, **fields}


def feedback(feedback_id: str, key: str, **more: Any) -> dict[str, Any]:
    times = {"created_at": "2026-11-22T01:42:54.790885+00:00", "modified_at": "2026-11-22T01:42:54.790891+00:00"}
    common = {"feedback_source": API, "session_id": SESSION, "extend_trace_retention": True}
    return {"id": feedback_id, **times, "key": key, "score": 1, **common, **more}


NEW_YEAR = {"expires_in": None, "expires_at": "2030-01-01T00:00:00+00:00"}
ONE_DAY = {"expires_in": {"days": 1, "hours": 5, "minutes": 7}}
AWARE, NAIVE = {"expires_at": "2030-01-02T03:04:05+00:00"}, {"expires_at": "2030-01-02T03:04:05"}
DEFAULT: dict[str, Any] = {"expires_in": THREE_HOURS}
NO_TIME = {"expires_in": {"days": 0, "hours": 0, "minutes": 0}}
TWO_HOURS = {"expires_in": {"days": 0, "hours": 2, "minutes": 5}}
TOKENS, TOKEN, FEEDBACK, CONFIGS = "/feedback/tokens", "/feedback/tokens/{token}", "/feedback", "/feedback-configs"
MODEL = {"type": "model", "metadata": {"__run": {"run_id": RUN}}}
ALL_FIELDS: dict[str, Any] = {
    "run_id": RUN, "score": 0.9877, "value": "v", "comment": "c", "correction": {"a": 1},
    "feedback_source": {"type": "api", "metadata": {"who": "me"}}, "start_time": "2026-01-01T00:00:00+00:00",
    "extra": {"e": 1}, "feedback_config": {"type": "continuous", "min": 0, "max": 1},
}  # fmt: skip

# fmt: off
PYTHON: list[Recorded] = [
    ("create_presigned_feedback_token", "POST", TOKENS,
     minting("user_score", "475357cf-6b8e-490d-8931-d4571006bc65", **DEFAULT), "token"),
    ("create_presigned_feedback_token timedelta and config", "POST", TOKENS,
     minting("stars", "54b0253c-c867-4a21-82ce-c84f103f69be", STARS, **ONE_DAY), "token"),
    ("create_presigned_feedback_token aware datetime", "POST", TOKENS,
     minting("k", "92501e6f-aa56-4454-a55a-0cd27903ac57", **AWARE), "token"),
    ("create_presigned_feedback_token naive datetime", "POST", TOKENS,
     minting("k", "8a49ac49-2e3d-4066-8c0b-7bec117fbffd", **NAIVE), "token"),
    ("create_presigned_feedback_token feedback_id", "POST", TOKENS,
     minting("k", "00000000-0000-004d-0000-000000000005", YES_NO, **DEFAULT), "token"),
    ("create_presigned_feedback_token 30 seconds", "POST", TOKENS,
     minting("k", "3385db5e-1e87-41d6-9e0a-0ed642b9bd95", **NO_TIME), 422),
    ("create_presigned_feedback_tokens", "POST", TOKENS, [batched(key) for key in "abc"], "tokens"),
    ("create_presigned_feedback_tokens configs and time", "POST", TOKENS,
     [batched("a", {"type": "freeform"}, **NEW_YEAR), batched("b", **NEW_YEAR)], "tokens"),
    ("list_presigned_feedback_tokens", "GET", f"{TOKENS}?run_id={RUN}&limit=100&offset=0", None, "tokens"),
    ("list_presigned_feedback_tokens limit", "GET", f"{TOKENS}?run_id={RUN}&limit=2&offset=0", None, "tokens"),
    ("create_feedback_from_token id", "POST", TOKEN, submission(comment="hi"), "result"),
    ("create_feedback_from_token all fields", "POST", TOKEN,
     submission(score=0.123456, value={"a": [1]}, correction={"want": "x"}, comment="c", metadata={"m": 1}), "result"),
    ("create_feedback_from_token url", "POST", TOKEN, submission(score=True, value="good"), "result"),
    ("create_feedback_from_token other spellings", "POST", TOKEN, submission(), "result"),
    ("create_feedback_from_token unknown", "POST", f"{TOKENS}/ffffffff-ffff-ffff-ffff-fffffffffffe", submission(), 404),
    ("info", "GET", "/info", None, "info"),
    ("create_feedback all fields", "POST", FEEDBACK, feedback(FIRST, "user_score", **ALL_FIELDS), "feedback"),
    ("create_feedback boolean", "POST", FEEDBACK, feedback(SECOND, "k2", run_id=RUN, score=True), "feedback"),
    ("create_feedback trace_id", "POST", FEEDBACK, feedback(THIRD, "k2", run_id=RUN, trace_id=RUN), "feedback"),
    ("create_feedback project_id", "POST", FEEDBACK, feedback(FOURTH, "k3"), "feedback"),
    ("create_feedback model", "POST", FEEDBACK,
     feedback(FIFTH, "k4", run_id=RUN, feedback_source=MODEL,
              comparative_experiment_id="0f751638-3979-43e5-9e32-ef4f223ee6f2"), "feedback"),
    ("read_feedback", "GET", f"{FEEDBACK}/{FIRST}", None, "feedback"),
    ("update_feedback", "PATCH", f"{FEEDBACK}/{FIRST}", {"score": 0.5555, "comment": None}, "feedback"),
    ("update_feedback nothing", "PATCH", f"{FEEDBACK}/{FIRST}", {}, "feedback"),
    ("list_feedback", "GET",
     f"{FEEDBACK}?run={RUN}&limit=100&key=user_score&key=k2&source=FeedbackSourceType.API&offset=0", None, "feedbacks"),
    ("list_feedback session", "GET",
     f"{FEEDBACK}?limit=1&has_comment=False&session={SESSION}&offset=0", None, "feedbacks"),
    ("delete_feedback", "DELETE", f"{FEEDBACK}/{FIRST}", None, 204),
    ("create_feedback_config", "POST", CONFIGS,
     {"feedback_key": "stars2", "feedback_config": STARS, "is_enforced": False}, "config"),
    ("create_feedback_config categorical", "POST", CONFIGS,
     {"feedback_key": "topics", "feedback_config": TOPICS, "is_enforced": False, "is_lower_score_better": True},
     "config"),
    ("list_feedback_configs", "GET", f"{CONFIGS}?limit=5&offset=0&key=stars2&name_contains=st", None, "configs"),
    ("list_feedback_configs all", "GET",
     f"{CONFIGS}?limit=100&offset=0&include_all_configs=True&is_enforced=False", None, "configs"),
    ("update_feedback_config", "PATCH", CONFIGS,
     {"feedback_key": "stars2", "feedback_config": JS_STARS, "is_lower_score_better": True}, "config"),
    ("add_feedback_categories", "PATCH", CONFIGS,
     {"feedback_key": "topics", "add_categories": [{"value": 2, "label": "c"}]}, "config"),
    ("remove_feedback_categories", "PATCH", CONFIGS, {"feedback_key": "topics", "remove_categories": [2]}, "config"),
    ("delete_feedback_config", "DELETE", f"{CONFIGS}?feedback_key=stars2", None, 204),
    ("delete_feedback_config topics", "DELETE", f"{CONFIGS}?feedback_key=topics", None, 204),
    ("create_presigned_feedback_token asynchronously", "POST", TOKENS,
     minting("user_score", "379ebc59-7246-4dd4-8ad3-26cc8d398680", **TWO_HOURS), "token"),
    ("create_feedback_from_token asynchronously", "POST", TOKEN, submission(value="ok"), "result"),
    ("create_feedback asynchronously", "POST", FEEDBACK, feedback(ASYNC, "k", run_id=RUN), "feedback"),
    ("read_feedback asynchronously", "GET", f"{FEEDBACK}/{ASYNC}", None, "feedback"),
    ("list_feedback asynchronously", "GET", f"{FEEDBACK}?run={RUN}&limit=2&key=k&offset=0", None, "feedbacks"),
    ("delete_feedback asynchronously", "DELETE", f"{FEEDBACK}/{ASYNC}", None, 204),
]
JAVASCRIPT: list[Recorded] = [
    ("createPresignedFeedbackToken", "POST", TOKENS,
     {"run_id": RUN, "feedback_key": "user_score", "expires_in": {"hours": 3}}, "token"),
    ("createPresignedFeedbackToken time and config", "POST", TOKENS,
     {"run_id": RUN, "feedback_key": "stars", "feedback_config": JS_STARS, "expires_at": "2030-01-01T00:00:00Z"},
     "token"),
    ("createPresignedFeedbackToken length", "POST", TOKENS,
     {"run_id": RUN, "feedback_key": "stars", "expires_in": {"days": 1, "hours": 2, "minutes": 3}}, "token"),
    ("createPresignedFeedbackToken no length", "POST", TOKENS, {"run_id": RUN, "feedback_key": "stars"}, "token"),
    ("createPresignedFeedbackToken other run", "POST", TOKENS,
     {"run_id": "not-a-uuid", "feedback_key": "stars", "expires_in": {"hours": 3}}, "token"),
    ("listPresignedFeedbackTokens", "GET", f"{TOKENS}?run_id={RUN}&offset=0&limit=100", None, "tokens"),
    ("createFeedback", "POST", FEEDBACK,
     {"id": JS_FIRST, "run_id": RUN, "key": "user_score", "score": 0.9877, "value": "v", "correction": {"a": 1},
      "comment": "c", "feedback_source": {"type": "api", "metadata": {"w": 1}},
      "feedbackConfig": {"type": "continuous", "min": 0, "max": 1}, "session_id": JS_SESSION,
      "start_time": "2026-01-01T00:00:00Z", "extend_trace_retention": True}, "feedback"),
    ("createFeedback arguments", "POST", FEEDBACK,
     {"id": "01a200d9-88c5-74ba-a62f-ccee2fc468ff", "run_id": RUN, "key": "k", "score": True,
      "feedback_source": {"type": "app", "metadata": {"__run": {"run_id": RUN}}}}, "feedback"),
    ("createFeedback project", "POST", FEEDBACK,
     {"id": "01a200d9-8901-73a8-8a22-b0d0818d39d4", "run_id": None, "key": "k", "score": 1, "feedback_source": API,
      "session_id": JS_SESSION}, "feedback"),
    ("readFeedback", "GET", f"{FEEDBACK}/{JS_FIRST}", None, "feedback"),
    ("updateFeedback", "PATCH", f"{FEEDBACK}/{JS_FIRST}", {"score": 0.5, "value": None, "comment": "x"}, "feedback"),
    ("listFeedback", "GET", f"{FEEDBACK}?run={RUN}&key=user_score&key=k&source=api&offset=0&limit=100", None,
     "feedbacks"),
    ("deleteFeedback", "DELETE", f"{FEEDBACK}/{JS_FIRST}", None, 204),
    ("createFeedbackConfig", "POST", CONFIGS,
     {"feedback_key": "js_stars", "feedback_config": JS_STARS, "is_enforced": False}, "config"),
    ("listFeedbackConfigs", "GET", f"{CONFIGS}?key=js_stars&name_contains=js&limit=5&offset=0", None, "configs"),
    ("updateFeedbackConfig", "PATCH", CONFIGS, {"feedback_key": "js_stars", "is_lower_score_better": True}, "config"),
    ("deleteFeedbackConfig", "DELETE", f"{CONFIGS}?feedback_key=js_stars", None, 204),
    ("fetch", "POST", TOKEN, {"score": 1, "comment": "hi"}, "result"),
]
WORKFLOWAI: list[Recorded] = [
    ("send_feedback", "POST", "/v1/feedback",
     {"feedback_token": "{run_token}", "outcome": "positive", "comment": "nice", "user_id": "u1"}, "result"),
    ("send_feedback minimal", "POST", "/v1/feedback", {"feedback_token": "{run_token}", "outcome": "negative"},
     "result"),
    ("sendFeedback", "POST", "/v1/feedback",
     {"feedback_token": "{run_token}", "outcome": "negative", "comment": "c", "user_id": "u"}, "result"),
    ("send_feedback other token", "POST", "/v1/feedback",
     {"feedback_token": "eyJ0IjoxfQ==.c2ln", "outcome": "positive"}, 400),
]
EVALGUARD: list[Recorded] = [
    ("_request", "POST", "/api/v1/feedback/token",
     {"resource_type": "eval_run", "resource_id": "run_1", "expires_in_seconds": 3600}, "one-time token"),
]
# fmt: on
