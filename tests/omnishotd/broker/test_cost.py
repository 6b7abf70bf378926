"""What a frame will cost: told from its plan, and learned from what workers report."""

from typing import Any

import msgspec
import pytest

from ipc.extents import ExtentAllocator
from ipc.messages import Answer, Decode, Encode, Extent, Step, Transform
from ipc.wire import Request
from omnishotd.broker.cost import HEAVY_US, LEARN_US_MIN, RATE_MAX, RATES_MAX, Costs
from omnishotd.broker.plan import Plan, Planner
from tests.omnishotd.broker.rig import make_frame, make_settings
from tests.photographs import jpeg, photograph_mosaic

SIDE = 400
NOWHERE = Extent(0, 1)
THUMBNAIL: dict[str, Any] = {"operations": [{"op": "resize", "width": 300, "height": 300}]}
MEDIAN: dict[str, Any] = {"operations": [{"op": "median", "size": 9}]}


def plan_of(*outputs: dict[str, Any], side: int = SIDE, **options: Any) -> Plan:
    """The plan for a real JPEG, written with Pillow's `options`."""
    limits = make_settings(frames={"max_pixels": 50_000_000, "max_side": 10_000}).frames
    planner = Planner(limits, {}, {}, ExtentAllocator(1 << 30))
    request = Request(v=1, outputs=msgspec.Raw(msgspec.msgpack.encode(list(outputs or [THUMBNAIL]))))
    picture = photograph_mosaic(800).resize((side, side))
    return planner.plan(request, jpeg(picture, **options))


def decode_step(plan: Plan) -> Decode:
    return Decode(NOWHERE, NOWHERE, "jpeg", plan.decoded)


def transform_step(plan: Plan, index: int = 0) -> Transform:
    output = plan.outputs[index]
    return Transform(NOWHERE, NOWHERE, plan.decoded, output.nominal, output.operations, output.result)


def encode_step(plan: Plan, index: int = 0) -> Encode:
    output = plan.outputs[index]
    return Encode(NOWHERE, output.result, index, output.encoding)


def report(
    costs: Costs, plan: Plan, step: Step, processor_us: int, *, took_us: int | None = None, is_heavy: bool = False
) -> None:
    """Have a worker report one step."""
    frame = make_frame(0)
    frame.plan, frame.is_heavy = plan, is_heavy
    costs.learn(frame, [step], Answer(1, [took_us or processor_us], [], processor_us=processor_us))


@pytest.mark.parametrize(
    ("outputs", "options", "is_heavy"),
    [
        ([THUMBNAIL], {"side": 3200}, False),
        ([THUMBNAIL], {"side": 6000, "progressive": True}, True),
        ([{"format": "avif"}], {"side": 300}, False),
        ([{"format": "avif"}], {"side": 800}, True),
        ([{"format": "webp"}] * 4, {"side": 800}, True),
    ],
)
def test_frame_is_heavy_from_the_work_of_all_its_steps(
    outputs: list[dict[str, Any]], options: dict[str, Any], is_heavy: bool
) -> None:
    frame = make_frame(0)
    frame.plan = plan_of(*outputs, **options)
    Costs().weigh(frame)

    assert frame.is_heavy == is_heavy == (frame.cost_us >= HEAVY_US)


def test_estimate_follows_what_a_worker_reports_of_the_same_operations() -> None:
    costs, plan = Costs(), plan_of(MEDIAN)
    before = costs.estimate_us(plan)
    report(costs, plan, transform_step(plan), 70_000)

    # What was reported, and the other steps.
    assert 70_000 <= costs.estimate_us(plan) < 70_000 + before
    assert costs.estimate_us(plan_of(THUMBNAIL)) < 10_000, "other operations stay what they were"
    larger = costs.estimate_us(plan_of(MEDIAN, side=2 * SIDE))
    assert larger == pytest.approx(4 * costs.estimate_us(plan), rel=0.05), "four times the pixels, four times the work"


def test_estimate_follows_what_a_worker_reports_of_an_encoding_and_of_a_kind_of_jpeg() -> None:
    costs = Costs()
    plain, progressive = plan_of({"quality": 70}), plan_of({"quality": 70}, progressive=True)
    other = plan_of({"quality": 71})
    before_us = costs.estimate_us(other)
    report(costs, plain, encode_step(plain), 50_000)
    report(costs, progressive, decode_step(progressive), 90_000)

    assert costs.estimate_us(plain) >= 50_000
    assert costs.estimate_us(progressive) >= 140_000
    assert costs.estimate_us(other) == before_us


def test_one_slow_step_does_not_change_what_is_known_all_at_once() -> None:
    costs, plan = Costs(), plan_of(MEDIAN)
    for took_us in (20_000, 20_000, 100_000):
        report(costs, plan, transform_step(plan), took_us)

    assert 38_000 <= costs.estimate_us(plan) <= 45_000


def test_frame_that_turns_out_light_is_taken_for_light_before_long() -> None:
    costs, plan = Costs(), plan_of({"format": "avif"}, side=800)
    assert costs.estimate_us(plan) >= HEAVY_US
    report(costs, plan, encode_step(plan), 1_000, is_heavy=True)

    assert costs.estimate_us(plan) < HEAVY_US


def test_short_step_of_a_light_frame_and_a_step_over_few_pixels_teach_nothing() -> None:
    costs, plan, tiny = Costs(), plan_of(), plan_of(side=100)
    before = costs.estimate_us(plan), costs.estimate_us(tiny)
    report(costs, plan, transform_step(plan), LEARN_US_MIN - 1)
    report(costs, tiny, decode_step(tiny), 100_000, is_heavy=True)

    assert (costs.estimate_us(plan), costs.estimate_us(tiny)) == before


def test_step_that_waited_for_a_processor_costs_no_more_than_it_took_of_one() -> None:
    costs, plan = Costs(), plan_of(MEDIAN)
    report(costs, plan, transform_step(plan), 20_000, took_us=400_000)

    assert costs.estimate_us(plan) < 25_000


def test_steps_of_one_task_share_its_processor_time_by_what_each_took() -> None:
    costs, plan = Costs(), plan_of(MEDIAN)
    frame = make_frame(0)
    frame.plan = plan
    costs.learn(frame, [decode_step(plan), transform_step(plan)], Answer(1, [30_000, 90_000], [], processor_us=60_000))

    assert costs.estimate_us(plan) == pytest.approx(60_000, rel=0.05)
    assert costs.estimate_us(plan_of(THUMBNAIL)) == pytest.approx(15_000, rel=0.1), "its decoding"


def test_what_a_worker_may_claim_is_bounded() -> None:
    costs, plan = Costs(), plan_of(MEDIAN)
    report(costs, plan, transform_step(plan), 1 << 48)

    pixels = 2 * SIDE * SIDE
    assert costs.estimate_us(plan) <= pixels * RATE_MAX // 1_000_000 + 10_000


def test_kinds_that_are_remembered_are_bounded() -> None:
    costs, plan = Costs(), plan_of()
    step = transform_step(plan)
    for number in range(2 * RATES_MAX):
        report(costs, plan, msgspec.structs.replace(step, operations=b"%d" % number), 20_000)

    assert len(costs._transform._values) == RATES_MAX
