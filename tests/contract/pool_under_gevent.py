"""Run by a test in a process of its own: the pool in a program that gevent has patched."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - the patches come first

import gevent  # noqa: E402

from shared.stores.postgresql.pool import Pool  # noqa: E402

if __name__ == "__main__":
    pool = Pool(sys.argv[1], size=5)

    borrowers: set[int] = set()
    most: list[int] = []

    def ask(number: int) -> int:
        with pool.connection() as session:
            borrowers.add(number)
            most.append(len(borrowers))
            try:
                return int(session.run("SELECT CAST(:n AS int) FROM pg_sleep(0.05)", n=number)[0][0])
            finally:
                borrowers.remove(number)

    for _ in range(20):  # on a busy machine some may have been answered before the fifth connection was there
        asking = [gevent.spawn(ask, number) for number in range(40)]
        gevent.joinall(asking, timeout=60)
        assert [greenlet.value for greenlet in asking] == list(range(40))
        if max(most) == 5:
            break
    assert max(most) == 5, "five at a time"

    for number in range(10):
        with gevent.Timeout(0.02, False):
            ask(number)
    assert [ask(number) for number in range(10)] == list(range(10)), "an answer that came too late reached somebody else"
    assert len(pool._idle) <= 5
    pool.close()
    print("ok")  # noqa: T201
