"""GET /api/admin/users."""

from __future__ import annotations

import secrets

import pytest

from shared.accounts.player import Account
from shared.container import Container
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, new_player


@pytest.fixture
def admin(deployed: Container) -> Player:
    return new_player(deployed, "admin")


def found(admin: Player, **query: str) -> HandlerReply:
    return call("find_users", "GET /api/admin/users", headers=admin.authorization, query=query)


def names(reply: HandlerReply) -> list[str]:
    return [account["username"] for account in reply.data]


def add(deployed: Container, *usernames: str) -> None:
    for username in usernames:
        deployed.users.add(Account(secrets.token_hex(16), username, "player", "hash", secrets.token_hex(32)))


def test_one_is_found_by_name_and_by_id_however_it_is_capitalised(deployed: Container, admin: Player) -> None:
    player = new_player(deployed)
    names = {"username": player.username, "displayName": player.username}
    account = {"userId": player.user_id, **names, "role": "player", "disabled": False, "simulated": False}
    assert found(admin, username=player.username.upper()).data == [account]
    assert found(admin, userId=player.user_id).data == [account]
    assert found(admin, userId="nobody").json == {"data": [], "nextCursor": None}


def test_all_that_begin_so_come_page_by_page_in_the_order_of_their_names(deployed: Container, admin: Player) -> None:
    tag = f"F{secrets.token_hex(5)}"
    add(deployed, f"{tag}b", f"{tag}", f"{tag}_c", f"{tag}A", f"{tag}-", f"{tag}.z", f"G{tag}")
    wanted = [tag, f"{tag}-", f"{tag}.z", f"{tag}_c", f"{tag}A", f"{tag}b"]
    first = found(admin, search=tag.lower(), limit="4")
    assert names(first) == wanted[:4]
    second = found(admin, search=tag.upper(), limit="4", cursor=first.json["nextCursor"])
    assert names(second) == wanted[4:]
    assert second.json["nextCursor"] is None
    assert names(found(admin, search=f"{tag}_")) == [f"{tag}_c"], "no wildcard"


def test_those_are_found_whose_display_name_begins_so_however_it_is_written(deployed: Container, admin: Player) -> None:
    tag, here = secrets.token_hex(5), f"Олег {secrets.token_hex(3)}"
    for name, display_name in (
        (f"{tag}-b", f"{here} 2"),
        (f"{tag}-A", here.upper()),
        (f"{tag}-c", None),
        (f"{tag}-d", f"x{here}"),
    ):
        account = Account(secrets.token_hex(16), name, "player", "hash", secrets.token_hex(32), display_name=display_name)
        deployed.users.add(account)
    reply = found(admin, search=here.lower())
    assert [(each["username"], each["displayName"]) for each in reply.data] == [
        (f"{tag}-A", here.upper()),
        (f"{tag}-b", f"{here} 2"),
    ]
    first = found(admin, search=here, limit="1")
    assert names(first) == [f"{tag}-A"]
    second = found(admin, search=here, limit="1", cursor=first.json["nextCursor"])
    assert (names(second), second.json["nextCursor"]) == ([f"{tag}-b"], None)
    assert found(admin, search=f"{here}_").data == found(admin, search=f"{here}%").data == [], "no wildcard"
    assert names(found(admin, search=tag)) == [f"{tag}-A", f"{tag}-b", f"{tag}-c", f"{tag}-d"]


def test_one_whose_names_both_begin_so_is_found_once(deployed: Container, admin: Player) -> None:
    tag = secrets.token_hex(8)
    account = Account(secrets.token_hex(16), tag, "player", "hash", secrets.token_hex(32), display_name=tag.upper())
    deployed.users.add(account)
    assert names(found(admin, search=tag[:10])) == [tag]


def test_all_are_listed_when_nothing_is_asked(deployed: Container, admin: Player) -> None:
    new_player(deployed)
    page = found(admin, limit="2")
    assert len(page.data) == 2
    following = found(admin, limit="1", cursor=page.json["nextCursor"])
    assert names(following)[0].lower() > names(page)[-1].lower()


@pytest.mark.parametrize(
    "query",
    [{"search": "a\nb"}, {"search": "a" * 51}, {"limit": "0"}, {"cursor": "x"}, {"search": "a", "userId": "b"}, {"userId": ""}],
)
def test_nonsense_is_told(admin: Player, query: dict[str, str]) -> None:
    assert found(admin, **query).problem == (422, "invalid_parameter")


def test_the_cursor_of_another_list_is_told(admin: Player) -> None:
    assert found(admin, cursor="YmVmb3JlOjE").problem == (422, "invalid_parameter")


def test_a_name_that_nobody_may_have_is_told(admin: Player) -> None:
    assert found(admin, username="?").problem == (422, "invalid_username")
