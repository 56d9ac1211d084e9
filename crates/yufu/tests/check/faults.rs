//! Each way to get it wrong, and the rows that see it.

use super::backend::Fault;
use super::{API, WEB, judged, sandbox};
use yufu::check::verdict::{Outcome, Tally};

/// Runs the rows against a backend with one fault: each of them must fail.
async fn flagged(text: &str, table: &[(Fault, &[&str])]) {
    let sandbox = sandbox().await;
    let mut missed = Vec::new();
    for (fault, rows) in table {
        let verdicts = judged(&sandbox.ready, text, &[*fault], rows).await;
        assert_eq!(verdicts.len(), rows.len(), "{fault:?}");
        for verdict in &verdicts {
            if verdict.outcome != Outcome::Fail {
                let (outcome, seen) = (verdict.outcome.word(), &verdict.seen);
                missed.push(format!("{fault:?}: {} is {outcome} {seen}", verdict.id));
            }
            assert!(verdict.outcome != Outcome::Fail || !verdict.why.is_empty());
        }
        if missed.is_empty() {
            assert_eq!(Tally::of(&verdicts).status(), 1);
        }
    }
    assert!(missed.is_empty(), "\n{}", missed.join("\n"));
    sandbox.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_code_and_state_are_flagged() {
    flagged(
        WEB,
        &[
            (Fault::BreaksWithoutCode, &["ACT-02"]),
            (Fault::OneStatePerDevice, &["ACT-08"]),
            (Fault::StateUnchecked, &["ACT-07", "COD-08", "COD-09"]),
            (Fault::StateUnbound, &["COD-09"]),
            (Fault::StateConstant, &["COD-01"]),
            (Fault::LogsOutAtCallback, &["COD-03"]),
            (Fault::CodesReplayed, &["COD-04"]),
            (Fault::OpenidFromClient, &["COD-05"]),
            (
                Fault::TakesAnything,
                &["COD-02", "COD-05", "COD-06", "COD-07"],
            ),
            (Fault::EchoesMarkup, &["COD-07"]),
        ],
    )
    .await;
    flagged(API, &[(Fault::LoginTakesLinks, &["COD-11"])]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_before_a_platform_that_misbehaves_are_flagged() {
    flagged(
        WEB,
        &[
            (
                Fault::TakesAnything,
                &["UPS-02", "UPS-04", "UPS-06", "UPS-08", "UPS-13"],
            ),
            (
                Fault::ShowsTrace,
                &["UPS-01", "UPS-03", "UPS-04", "UPS-05", "UPS-06", "UPS-10"],
            ),
            (Fault::ShowsSecret, &["UPS-10"]),
            (Fault::WaitsForever, &["UPS-09"]),
            (Fault::InsistsOnJson, &["UPS-07"]),
            (Fault::TrustsProfile, &["UPS-08"]),
            (Fault::NeedsProfile, &["UPS-11", "UPS-12"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_accounts_are_flagged() {
    flagged(
        WEB,
        &[
            (Fault::NewEachTime, &["LGN-03", "IDN-01"]),
            (Fault::SameToken, &["SES-05"]),
            (Fault::KeyedByNickname, &["LGN-11", "IDN-06"]),
            (Fault::KeyedByUnionid, &["IDN-02", "IDN-03", "IDN-04"]),
            (Fault::AsciiOnly, &["IDN-05"]),
            (Fault::Races, &["CON-03"]),
            (Fault::RacesLoudly, &["CON-01"]),
            (Fault::SessionsStay, &["SES-05"]),
            (Fault::LogoutEndsAll, &["SES-05"]),
            (Fault::UnlinksLast, &["DEL-02"]),
            (Fault::DeletionEndsNothing, &["DEL-03"]),
            (Fault::DeletionForgotten, &["LGN-07"]),
            (Fault::PushUnsigned, &["DEL-07"]),
            (Fault::PushFails, &["DEL-04", "DEL-05", "DEL-06"]),
        ],
    )
    .await;
    flagged(
        API,
        &[
            (Fault::SameToken, &["LGN-03"]),
            (Fault::NoUnionid, &["LGN-09"]),
            (Fault::UnlinksNothing, &["DEL-01"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_numbers_are_flagged() {
    flagged(
        API,
        &[
            (Fault::TicketIsSession, &["LGN-01"]),
            (Fault::TicketsPile, &["LGN-05", "PHO-08", "CON-03"]),
            (Fault::TicketsStay, &["PHO-09"]),
            (Fault::TicketsTravel, &["PHO-10"]),
            (Fault::OpenidForTicket, &["PHO-11"]),
            (Fault::TakesNumbers, &["PHO-06"]),
            (Fault::NumbersTwice, &["PHO-02", "PHO-06"]),
            (Fault::NumbersAsTyped, &["PHO-15"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_passcodes_and_sessions_are_flagged() {
    flagged(
        API,
        &[
            (Fault::FourDigits, &["SMS-01"]),
            (Fault::SendsAlways, &["SMS-02"]),
            (Fault::OneTry, &["SMS-05"]),
            (Fault::GuessesForever, &["SMS-06"]),
            (Fault::PasscodeStays, &["SMS-07"]),
            (Fault::TellsNumbers, &["SMS-10"]),
            (Fault::NeverRenews, &["REL-03"]),
            (Fault::NeverAsks, &["REL-04", "REL-05"]),
            (Fault::NeedsPlatform, &["REL-06"]),
            (Fault::TakesAnyToken, &["REL-10"]),
            (Fault::RenewsNothing, &["REL-11"]),
        ],
    )
    .await;
}
