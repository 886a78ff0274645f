package blog.inbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.springframework.transaction.CannotCreateTransactionException;
import org.springframework.util.backoff.BackOffExecution;

class FailedEventsTest {

    @Test
    void anEventIsTriedLessAndLessOftenAndThenSetAside() {
        List<Long> pauses = pauses(new IllegalStateException("not yet"));
        assertThat(pauses).startsWith(200L, 400L, 800L).isSorted().hasSizeLessThan(100);
        assertThat(pauses.stream().mapToLong(Long::longValue).sum()).isBetween(110_000L, 140_000L);
    }

    @Test
    void whileTheDatabaseIsAwayNoEventIsSetAside() {
        assertThat(pauses(new CannotCreateTransactionException("no connection"))).hasSize(100).endsWith(10_000L);
    }

    /** The first hundred pauses, or all before the event is given up. */
    private static List<Long> pauses(Exception cause) {
        BackOffExecution execution = FailedEvents.backOff(null, cause).start();
        List<Long> pauses = new ArrayList<>();
        for (long pause = execution.nextBackOff(); pause != BackOffExecution.STOP && pauses.size() < 100; pause = execution.nextBackOff()) {
            pauses.add(pause);
        }
        return pauses;
    }
}
