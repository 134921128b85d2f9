"""What a setting is for: the text below it in the source, read only when somebody is told of it.

pydantic's `use_attribute_docstrings` would read the source of every section at every start, which is a tenth of it.
"""

import ast
import inspect
from itertools import pairwise
from textwrap import dedent

from pydantic import BaseModel


def description_of(name: str, model: type[BaseModel]) -> str:
    """Return the text about a field, or an empty one where there is none."""
    return model.model_fields[name].description or next(
        (texts[name] for texts in map(_texts_in, model.__mro__) if name in texts), ""
    )


def _texts_in(section: type) -> dict[str, str]:
    try:
        source = inspect.getsource(section)
    except (OSError, TypeError):  # it is not at hand, or built in
        return {}
    (defined,) = ast.parse(dedent(source)).body
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(getattr(defined, "body", []))
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
