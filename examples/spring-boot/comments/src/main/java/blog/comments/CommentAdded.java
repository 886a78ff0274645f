package blog.comments;

/** What this service tells others. The names are a contract: they are the event type and the JSON's fields. */
record CommentAdded(long id, long postId, String author, String body) {
}
