"""The script of every browser session: the pages that ``app.py`` lists.

It lies in this folder because Streamlit would discover pages by itself beside a script that has a ``pages``
folder, and run them without the navigation when their address is opened first.
"""

from app import show_pages

show_pages()
