"""Fault injection on a running Airflow whose parts can be killed.

``postgres`` is the metadata database, ``parts`` are Airflow's and the sandbox's processes, ``points`` are the named
places in the product's code at which a process kills itself.
"""
