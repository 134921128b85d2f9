"""What the environment sets: `TANIMA_SWITCH__DEADLINE` is `switch.deadline`. Loaded where it sets anything."""

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError

from proxy.config.settings import Settings
from proxy.config.values import AsText, FromEnvironment

__all__ = ["SettingsError", "set_by_environment"]


class _Variables(EnvSettingsSource):
    """Our variables, of which some are texts though what they are read into is none."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - the signature is pydantic's
        """Return what a variable says in JSON. Raises ValueError."""
        is_text = AsText in getattr(field, "metadata", ())
        return value if is_text else super().decode_complex_value(field_name, field, value)


def set_by_environment(prefix: str) -> dict[str, Any]:
    """Return what variables with this prefix set, as plain tables. Raises SettingsError for what is no JSON."""
    variables = _Variables(Settings, env_prefix=prefix, env_nested_delimiter="__")  # type: ignore[arg-type] # is read only
    return {section: _marked(value) for section, value in variables().items()}


def _marked(node: Any) -> Any:  # noqa: ANN401 - any value
    if isinstance(node, dict):
        return {key: _marked(value) for key, value in node.items()}
    return FromEnvironment(node) if isinstance(node, str) else node
