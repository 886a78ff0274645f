package blog.inbox;

/** An event does not fit what those before it said. With one key in order no earlier event will come, so no retry can mend it. */
public class ImpossibleEventException extends RuntimeException {

    public ImpossibleEventException(String message) {
        super(message);
    }
}
