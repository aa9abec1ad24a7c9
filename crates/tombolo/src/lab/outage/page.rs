//! The page for planning: the line of time, the matrix, the reasons and the public record, in one file.

use std::fmt::Write as _;

use ::lab::outage::timeline::Timeline;
use ::lab::outage::{Cell, Matrix, Outcome, ROWS, SITUATIONS};

use super::duration::{Span, moment};
use super::show::Reasons;
use super::timeline;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn page(matrix: &Matrix, line: &Timeline) -> String {
    let reasons = Reasons::of(matrix);
    let outage = Span(line.back.seconds_since(line.outage));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Outage: what still works, for how long, and why</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>When the cloud is away: what still works, for how long, and why</h1>\n\
         <p class=\"lead\">Somebody signs in with a security key on {signed_in} (UTC). At {begins} the outage begins. \
         Every cell below was tried at its own time, over the wires that were left.</p>\n{rules}\
         <h2>The cloud is away for {outage}</h2>\n\
         <p>What was held when it went away. A dotted line is time without it. {after}</p>\n\
         <div class=\"card\">\n{drawing}</div>\n\
         <section class=\"sheet\">\n<h2>The matrix</h2>\n\
         <p>Numbers name the reasons below; a moment says until when. <span class=\"star\">*</span> What the original system does here is not \
         publicly documented; shown is what ours does.</p>\n<div class=\"card\">\n{table}</div>\n</section>\n\
         <h2>Reasons</h2>\n{why}\
         <section class=\"sheet\">\n<h2>What is publicly known of the original system</h2>\n{record}</section>\n\
         <footer>Made by <code>tombolo lab outage --html</code>. Times are UTC.</footer>\n</main>\n</body>\n</html>\n",
        signed_in = moment(matrix.signed_in),
        begins = moment(matrix.outage),
        rules = rules(matrix, line),
        after = after(line),
        drawing = timeline::drawing(line),
        table = table(matrix, &reasons),
        why = why(&reasons),
        record = record(),
    )
}

fn rules(matrix: &Matrix, line: &Timeline) -> String {
    let rules = matrix.rules;
    let prt = line.spans.iter().find(|span| span.id == "prt");
    let prt = prt.and_then(|span| span.until);
    let mut items = vec![
        ("tickets", Span(rules.lifetimes.ticket_s)),
        ("renewals", Span(rules.lifetimes.renewable_s)),
        ("offline cache", Span(rules.offline_s)),
    ];
    items.extend(prt.map(|until| ("PRT", Span(until.seconds_since(line.signed_in)))));
    let mut text = String::from("<ul class=\"rules\">\n");
    for (what, how_long) in items {
        add(
            &mut text,
            format_args!("<li>{what} <b>{how_long}</b></li>\n"),
        );
    }
    text + "</ul>\n"
}

fn after(line: &Timeline) -> String {
    format!(
        "Then it is back, at {}: {}.",
        moment(line.back),
        escaped(&line.after)
    )
}

fn table(matrix: &Matrix, reasons: &Reasons<'_>) -> String {
    let mut text = String::from("<table class=\"matrix\">\n<thead><tr><th></th>");
    for situation in &SITUATIONS {
        add(
            &mut text,
            format_args!("<th scope=\"col\">{}</th>", escaped(situation.title)),
        );
    }
    text += "</tr></thead>\n<tbody>\n";
    let mut group = "";
    for row in ROWS {
        if row.group != group {
            group = row.group;
            let columns = SITUATIONS.len() + 1;
            add(
                &mut text,
                format_args!("<tr class=\"group\"><th colspan=\"{columns}\">{group}</th></tr>\n"),
            );
        }
        let star = match row.is_documented {
            true => "",
            false => " <span class=\"star\">*</span>",
        };
        add(
            &mut text,
            format_args!("<tr><th scope=\"row\">{}{star}</th>", escaped(row.title)),
        );
        for situation in &SITUATIONS {
            text += &matrix
                .cell(row.id, situation.id)
                .map_or_else(|| "<td></td>".to_owned(), |cell| one(cell, reasons));
        }
        text += "</tr>\n";
    }
    text + "</tbody>\n</table>\n"
}

fn one(cell: &Cell, reasons: &Reasons<'_>) -> String {
    let (class, mark, word) = words(cell.outcome);
    // A thing that does not work may still have an end of its own; it stands with the reason.
    let until = cell
        .until
        .filter(|_| cell.outcome == Outcome::Works)
        .map(|until| {
            let until = moment(until);
            let day = until
                .split_once(' ')
                .map_or(until.as_str(), |(_, rest)| rest);
            format!("<span class=\"until\">{day}</span>")
        });
    format!(
        "<td><div class=\"cell {class}\" title=\"{word}: {why}\"><span class=\"mark\">{mark}<sup>{number}</sup></span>\
         {until}</div></td>",
        why = escaped(&cell.mechanism),
        number = reasons.number(cell),
        until = until.unwrap_or_default(),
    )
}

fn words(outcome: Outcome) -> (&'static str, &'static str, &'static str) {
    match outcome {
        Outcome::Works => ("works", "✓", "works"),
        Outcome::Fails => ("fails", "✗", "does not work"),
    }
}

fn why(reasons: &Reasons<'_>) -> String {
    let mut text = String::from("<ul class=\"reasons\">\n");
    for (number, outcome, reason) in reasons.each() {
        let (_, mark, _) = words(outcome);
        let class = if outcome == Outcome::Works {
            "yes"
        } else {
            "not"
        };
        add(
            &mut text,
            format_args!(
                "<li><span class=\"no\">{number}</span><span class=\"mark {class}\">{mark}</span>{}</li>\n",
                escaped(&reason)
            ),
        );
    }
    text + "</ul>\n"
}

fn record() -> String {
    let mut text = String::from("<table class=\"record\">\n<tbody>\n");
    for row in ROWS {
        let tag = match row.is_documented {
            true => "<span class=\"tag known\">documented</span>",
            false => "<span class=\"tag unknown\">not publicly documented</span>",
        };
        add(
            &mut text,
            format_args!(
                "<tr><th scope=\"row\">{}, {}</th><td>{tag}</td><td>{}</td></tr>\n",
                escaped(row.group),
                escaped(row.title),
                escaped(row.record)
            ),
        );
    }
    text + "</tbody>\n</table>\n"
}

/// Appends; a `String` takes everything.
pub(super) fn add(text: &mut String, piece: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(piece);
    debug_assert!(written.is_ok());
}

/// Text that is no markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
