"""The programs that run: the stream worker, the embedded run, the command `yeji`, evaluation and tuning."""

from streams.one_thread import before_loading

before_loading()  # here, as any other import may load NumPy
