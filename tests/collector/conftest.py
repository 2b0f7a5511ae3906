"""One story for all tests of exports: it is not changed by them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.instance import Parts
from collector.package.source import Source
from tests.collector.package.holding import STORY, WHEN
from tests.collector.replay.stories import small, told


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with told(tmp_path_factory.mktemp("exports"), small(STORY), WHEN) as parts:
        yield parts


@pytest.fixture(scope="module")
def source(parts: Parts) -> Source:
    return Source(
        log=parts.log,
        index=parts.index,
        targets=parts.kept_targets,
        warehouse=parts.warehouse,
        pseudonyms=parts.pseudonyms,
    )
