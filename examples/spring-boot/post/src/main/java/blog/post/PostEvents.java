package blog.post;

/** What this service tells others. The names are a contract: they are the event types and the JSON's fields. */
final class PostEvents {

    record PostPublished(long id, String author, String title) {
    }

    record PostEdited(long id, String author, String title) {
    }

    record PostDeleted(long id) {
    }

    private PostEvents() {
    }
}
