"""Final delivery into files: a Maildir or an mbox (RFC 5321 section 4.4).

A server's handler writes a message to a store chunk by chunk as it arrives.  When `commit` has
returned, the message is on the disk and the server may reply 250 (RFC 5321 section 6.1).  A
delivery that ends before `commit` stores nothing.  The files have LF line endings, as other
programs on the host expect; a bare CR or LF is kept.  Any number of threads and processes may
deliver at the same time.

After a crash, or `kill -9`:

* Maildir: a message in new/ is always complete.  An unfinished one stays in tmp/, which no reader
  opens; `mailbox.Maildir(path).clean()` removes such files after 36 hours.
* mbox: a part of the last message may stay at the end; an empty line separates the next one from
  it.  The file "….lock" may stay as well.  It blocks all programs until the administrator, who
  knows that its owner is gone, removes it.

From the standard library's `mailbox` this uses `mbox.lock`, which excludes programs that use fcntl
and those that use dot-locks.  The rest of `mailbox` does not fit: `add` takes a complete message,
not chunks, and reads the whole mbox for it; it does not sync folders; `Maildir` counts its names
without a lock between threads, and creates its folders in steps that can fail when two processes do
so at once.
"""

from __future__ import annotations

from .final_delivery import FinalDelivery
from .maildir import MaildirStore
from .mbox import MboxStore

__all__ = ["FinalDelivery", "MaildirStore", "MboxStore"]
