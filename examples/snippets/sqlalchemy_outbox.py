"""Writes a post and its event with SQLAlchemy 2."""

import os
import sys
import uuid

from sqlalchemy import BigInteger, String, Uuid, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

# snippet: begin
class Base(DeclarativeBase):
    pass


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    title: Mapped[str] = mapped_column(String(255))


class OutboxEvent(Base):
    __tablename__ = "outbox"
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    aggregatetype: Mapped[str] = mapped_column(String(255))
    aggregateid: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(255))
    payload: Mapped[dict] = mapped_column(JSONB)


def publish(engine, title: str) -> None:
    with Session(engine) as session, session.begin():
        post = Post(title=title)
        session.add(post)
        session.flush()  # the database gives the id
        session.add(OutboxEvent(aggregatetype="post", aggregateid=str(post.id), type="PostPublished",
                                payload={"id": post.id, "title": title}))
# snippet: end


publish(create_engine(os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg://")), sys.argv[1])
