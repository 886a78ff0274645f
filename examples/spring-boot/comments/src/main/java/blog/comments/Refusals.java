package blog.comments;

import org.springframework.http.HttpStatus;
import org.springframework.web.server.ResponseStatusException;

/** Why a comment is not taken. */
final class Refusals {

    static class UnknownPost extends ResponseStatusException {

        UnknownPost() {
            super(HttpStatus.NOT_FOUND, "there is no such post, or it has not been heard of yet");
        }
    }

    static class DeletedPost extends ResponseStatusException {

        DeletedPost() {
            super(HttpStatus.GONE, "the post was deleted");
        }
    }

    private Refusals() {
    }
}
