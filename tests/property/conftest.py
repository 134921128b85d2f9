from hypothesis import settings

from tests.lengths import at_length

EXAMPLES = at_length(100, otherwise=50)
settings.register_profile("tanima", max_examples=EXAMPLES, deadline=None)  # a machine under load is no failure
settings.load_profile("tanima")
