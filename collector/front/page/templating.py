"""The environment of the page's templates. Everything that comes from measurements is escaped on its way in."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from collector.front.page.words import plain
from probe.model import Json


def _shown(value: Json) -> Json:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


ENVIRONMENT = Environment(
    loader=PackageLoader("collector.front.page"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)


def made(template: str, **values: object) -> Markup:
    """A part of a page, made by a template of its own, so that it is not escaped again."""
    return Markup(ENVIRONMENT.get_template(template).render(**values).removesuffix("\n"))
