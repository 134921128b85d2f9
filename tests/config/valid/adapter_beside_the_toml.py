"""An adapter that stands beside the TOML that names it."""

from proxy.adapter import Adapter, AdapterConfig, Contact, PhoneNumber


class OurOptions(AdapterConfig):
    """The options."""

    greeting: str


class OurCrm(Adapter):
    """Knows everybody by the same name."""

    Config = OurOptions

    def __init__(self, config: OurOptions) -> None:
        self.greeting = config.greeting

    async def lookup(self, key: PhoneNumber) -> Contact:
        return Contact(self.greeting)
