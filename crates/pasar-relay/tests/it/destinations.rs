//! One suite over every kind of destination, each against its real server (`cargo xtask servers start`).
//!
//! A kind takes part by a `pasar_testkit::ends::End` of its own, and a line below.

mod delivered;
mod end;
mod outage;
mod suite;

/// The tests of one kind of other end.
macro_rules! suite {
    ($name:ident, $end:ty) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_message_arrives_as_its_format_says_with_its_attributes() {
                suite::a_message_arrives_as_its_format_says_with_its_attributes::<$end>().await;
            }

            #[tokio::test]
            async fn with_tls_only_a_certificate_that_is_trusted_will_do() {
                suite::with_tls_only_a_certificate_that_is_trusted_will_do::<$end>().await;
            }

            #[tokio::test]
            async fn wrong_credentials_say_what_to_change_and_cost_an_attempt() {
                suite::wrong_credentials_say_what_to_change_and_cost_an_attempt::<$end>().await;
            }

            #[tokio::test]
            async fn what_a_user_may_not_do_says_so() {
                suite::what_a_user_may_not_do_says_so::<$end>().await;
            }

            #[tokio::test]
            async fn a_message_that_is_too_large_is_never_tried_again() {
                suite::a_message_that_is_too_large_is_never_tried_again::<$end>().await;
            }

            #[tokio::test]
            async fn sends_that_overlap_all_arrive_over_one_connection() {
                suite::sends_that_overlap_all_arrive_over_one_connection::<$end>().await;
            }

            #[tokio::test]
            async fn nothing_of_it_runs_on_without_it() {
                suite::nothing_of_it_runs_on_without_it::<$end>().await;
            }

            #[tokio::test]
            async fn an_address_that_is_not_allowed_is_not_connected_to() {
                suite::an_address_that_is_not_allowed_is_not_connected_to::<$end>().await;
            }

            #[tokio::test]
            async fn a_cut_wire_is_said_at_once_and_loses_nothing() {
                outage::a_cut_wire_is_said_at_once_and_loses_nothing::<$end>().await;
            }

            #[tokio::test]
            async fn a_wire_that_blinks_confirms_nothing_that_was_lost() {
                outage::a_wire_that_blinks_confirms_nothing_that_was_lost::<$end>().await;
            }

            #[tokio::test]
            async fn what_comes_while_it_is_down_arrives_in_order_and_slows_nobody() {
                delivered::what_comes_while_it_is_down_arrives_in_order_and_slows_nobody::<$end>()
                    .await;
            }

            #[tokio::test]
            async fn a_message_that_is_too_large_is_a_dead_letter_and_holds_up_nothing() {
                delivered::a_message_that_is_too_large_is_a_dead_letter_and_holds_up_nothing::<$end>()
                    .await;
            }

            #[tokio::test]
            async fn a_server_that_restarts_gets_what_it_missed() {
                outage::a_server_that_restarts_gets_what_it_missed::<$end>().await;
            }
        }
    };
}

#[cfg(feature = "redis")]
suite!(redis_channel, pasar_testkit::ends::redis::Channel);
#[cfg(feature = "redis")]
suite!(redis_stream, pasar_testkit::ends::redis::Stream);
#[cfg(feature = "nats")]
suite!(nats_core, pasar_testkit::ends::nats::Core);
#[cfg(feature = "nats")]
suite!(nats_jetstream, pasar_testkit::ends::nats::JetStream);
#[cfg(feature = "rabbitmq")]
suite!(rabbitmq_queue, pasar_testkit::ends::rabbitmq::Queue);
#[cfg(feature = "kafka")]
suite!(kafka_topic, pasar_testkit::ends::kafka::Topic);
#[cfg(feature = "mqtt")]
suite!(mqtt_topic, pasar_testkit::ends::mqtt::Topic);
