"""The whole flow under any order of requests, answers, deaths, deadlines and cancels, for every layout of pools."""

from hypothesis import settings

from tests.omnishotd.broker.life import AnyLife
from tests.omnishotd.broker.rig import LAYOUTS


class HeavyFrames(AnyLife):
    heavy_us = 500
    whole_frame_pixels_max = "auto"


class HeavyFramesInOnePool(HeavyFrames):
    pools = LAYOUTS[3]


SETTINGS = settings(max_examples=100, stateful_step_count=50, deadline=None)


class FusedFront(AnyLife):
    pools = LAYOUTS[1]


class FusedBack(AnyLife):
    pools = LAYOUTS[2]


class FusedWhole(AnyLife):
    pools = LAYOUTS[3]


class SmallFramesWhole(AnyLife):
    whole_frame_pixels_max = 100 * 100


TestThreePools = AnyLife.TestCase
TestThreePools.settings = SETTINGS
TestFusedFront = FusedFront.TestCase
TestFusedFront.settings = SETTINGS
TestFusedBack = FusedBack.TestCase
TestFusedBack.settings = SETTINGS
TestSmallFramesWhole = SmallFramesWhole.TestCase
TestSmallFramesWhole.settings = SETTINGS
TestFusedWhole = FusedWhole.TestCase
TestFusedWhole.settings = SETTINGS
TestHeavyFrames = HeavyFrames.TestCase
TestHeavyFrames.settings = SETTINGS
TestHeavyFramesInOnePool = HeavyFramesInOnePool.TestCase
TestHeavyFramesInOnePool.settings = SETTINGS
