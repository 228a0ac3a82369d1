"""CRM worlds with mechanics other than those of `medallion simulate`, written without sight of the package.

Each world is known by its seed. Seeds 1 to 49 are for development; seeds from 1000 are not used for tuning.
"""
