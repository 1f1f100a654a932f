"""Queries of class names, and control queries with texts of other videos."""

from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.types import Annotation, GroundingQuery, Instance
from clip_ae.scoring.grounding_queries import build_class_queries, build_control_queries


def test_one_query_for_each_video_and_class_with_all_instances() -> None:
    shown = (Instance("run", 1.0, 2.0), Instance("jump", 2.0, 3.0), Instance("run", 5.0, 6.0))
    annotations = {"b": Annotation("test", ()), "a": Annotation("test", shown)}
    assert build_class_queries(annotations) == [
        GroundingQuery("a", "run", ((1.0, 2.0), (5.0, 6.0))),
        GroundingQuery("a", "jump", ((2.0, 3.0),)),
    ]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("uvwxyz")), unique=True, min_size=1))
def test_control_texts_never_describe_the_video_itself(pairs: list[tuple[str, str]]) -> None:
    queries = [GroundingQuery(video, text, ((0.0, 1.0),)) for video, text in pairs]
    controls = build_control_queries(queries)
    assert build_control_queries(queries) == controls, "deterministic"
    assert {q.text for q in controls} <= {text for _, text in pairs}
    assert not {(q.video_id, q.text) for q in controls} & set(pairs)
    texts = {text for _, text in pairs}
    with_control = {v for v in "abc" if any((v, t) not in pairs for t in texts)}
    assert [q.video_id for q in controls] == [v for v, _ in pairs if v in with_control], "every query with a control"
