package blog.inbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.inOrder;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.mockito.InOrder;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.kafka.core.KafkaAdmin;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.listener.ListenerExecutionFailedException;
import org.springframework.kafka.listener.MessageListenerContainer;
import org.springframework.transaction.CannotCreateTransactionException;
import org.springframework.util.backoff.BackOffExecution;

@ExtendWith(OutputCaptureExtension.class)
class FailedEventsTest {

    private static final ConsumerRecord<String, String> EVENT = new ConsumerRecord<>("outbox.event.post", 2, 7, "a key", "a payload");

    @SuppressWarnings("unchecked")
    private final KafkaTemplate<Object, Object> template = mock(KafkaTemplate.class);
    private final KafkaAdmin admin = mock(KafkaAdmin.class);
    private final DefaultErrorHandler handler = new FailedEvents().retriesThenDeadLetters(template, admin);

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

    @Test
    void eachAttemptSaysWhyItFailed(CapturedOutput output) {
        assertThat(fails(new IllegalStateException("not yet", new ArithmeticException("a payload")))).isFalse();
        assertThat(output).contains("WARN", "outbox.event.post-2 offset 7, attempt 1: ListenerExecutionFailedException, by IllegalStateException, by ArithmeticException")
                .doesNotContain("a key", "a payload", "set aside");
    }

    /** An impossible event is not tried again; and a broker that makes no topics by itself takes its letter too. */
    @Test
    void aLetterFindsItsTopicAndIsTalkedOf(CapturedOutput output) {
        when(template.send(any(ProducerRecord.class))).thenReturn(CompletableFuture.completedFuture(null));
        assertThat(fails(new ImpossibleEventException("a post that was never published"))).isTrue();
        InOrder first = inOrder(admin, template);
        first.verify(admin).createOrModifyTopics(any());
        first.verify(template).send(any(ProducerRecord.class));
        assertThat(output).contains("ERROR", "event set aside in outbox.event.post-dlt, outbox.event.post-2 offset 7: ListenerExecutionFailedException, by ImpossibleEventException")
                .doesNotContain("a key", "a payload");
    }

    /** What a listener throws comes to the handler; says whether the event is done with. */
    private boolean fails(Exception cause) {
        return handler.handleOne(new ListenerExecutionFailedException("a listener threw", cause), EVENT, mock(Consumer.class), mock(MessageListenerContainer.class));
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
