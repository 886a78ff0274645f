"""Writes a post and its event with Django."""

import os
import sys
import uuid
from urllib.parse import urlparse

import django
from django.conf import settings

url = urlparse(os.environ["DATABASE_URL"])
settings.configure(DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": url.hostname, "PORT": url.port,
    "USER": url.username, "PASSWORD": url.password, "NAME": url.path.lstrip("/"),
}}, USE_TZ=True)
django.setup()

from django.db import models, transaction


# snippet: begin
class Post(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=255)

    class Meta:
        app_label = "blog"
        db_table = "posts"


class OutboxEvent(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    aggregatetype = models.CharField(max_length=255)
    aggregateid = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    payload = models.JSONField()

    class Meta:
        app_label = "blog"
        db_table = "outbox"


@transaction.atomic
def publish(title: str) -> None:
    post = Post.objects.create(title=title)
    OutboxEvent.objects.create(aggregatetype="post", aggregateid=str(post.id), type="PostPublished",
                               payload={"id": post.id, "title": title})
# snippet: end


publish(sys.argv[1])
