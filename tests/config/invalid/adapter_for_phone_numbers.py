"""An adapter that does not say by what it can be asked, and so is asked by phone numbers."""

from proxy.adapter import Adapter, AdapterConfig, Contact, PhoneNumber


class OurCrm(Adapter):
    """Knows everybody by the same name."""

    def __init__(self, config: AdapterConfig) -> None:
        """Need nothing."""

    async def lookup(self, key: PhoneNumber) -> Contact:
        return Contact("Merhaba")
