from hypothesis import settings

settings.register_profile("tanima", max_examples=100, deadline=None)  # a machine under load is no failure
settings.load_profile("tanima")
