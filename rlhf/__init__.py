"""Teach agents by choosing between clips of their behaviour.

The folders are the loop: ``experience`` makes behaviour, ``clips`` draws it, ``queries`` picks pairs,
``feedback`` turns answers into targets, ``reward`` learns from them, ``policy`` improves. ``loop`` holds
one verb per arrow between them, ``worker`` runs those verbs in their own processes, ``storage`` is where
processes meet, ``ui`` and ``pages`` show it all.
"""

__version__ = "0.1.0"
