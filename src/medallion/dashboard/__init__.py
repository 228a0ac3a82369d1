"""The dashboard: figures, pictures and rows of the lakehouse in a browser, or as one file to send.

`reading` holds one version of the tables open, `copies` keeps narrow copies of them at hand, `parameters` checks what
an address asks for, `pages` and `tables` say what is shown, `pictures` draws it, `web` answers, `safety` says who may
come in, `export` writes the file. Every number is a metric's or is in a gold table; nothing here computes one.
"""
