"""Objects of the session read without running any of their code: how an attribute is bound, what an expression is, what a call takes
and gives, what a table holds. `inspection.py` answers the language server's questions with it; `patches.py` lends parts of it to IPython.
"""
