//! The ranges that are asked for: what is not covered, in parts.

use sequor_planner::ops::TimeFormat;

use super::position::{Kind, Position};
use super::ranges::{Gap, Ranges};
use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};

/// How many parts there may be.
const MOST: usize = 100_000;

/// Units that formats write, in seconds.
const UNITS: [f64; 6] = [1.0, 60.0, 3_600.0, 86_400.0, 2_678_400.0, 31_622_400.0];

/// A range that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// From where it is covered then; none: from the first row.
    pub from: Option<Position>,
    /// From where it is asked.
    pub asked_from: Option<Position>,
    /// None: to whatever is there.
    pub to: Option<Position>,
}

/// Returns the ranges that are asked for, in their order.
///
/// # Errors
/// An end that nobody knows; more parts than any run asks for.
pub fn windows(settings: &Settings, kind: Kind, covered: &Ranges) -> Result<Vec<Window>> {
    let initial = settings.start();
    let back = |from: Option<Position>| match (&from, settings.given.lookback, covered.is_empty()) {
        (Some(at), Some(span), false) => match kind.moved(at, -span) {
            Some(looked) => Ok(initial.cloned().max(Some(looked))),
            None => Err(no_lookback(settings)),
        },
        _ => Ok(from),
    };
    if !settings.asks.end {
        // It goes on to the end in any case: what lies behind the first gap is asked with it.
        let gap = covered.gaps(initial, None).into_iter().next();
        let from = gap.and_then(|(from, _)| from);
        let is_last = from.as_ref() == covered.end();
        return Ok(vec![Window {
            asked_from: if is_last {
                back(from.clone())?
            } else {
                from.clone()
            },
            from,
            to: None,
        }]);
    }
    let Some(end) = settings.end(kind) else {
        let message = format!(
            "the cursor `{}` is no time, and so nobody knows where the range that is asked for ends",
            settings.given.cursor
        );
        return Err(Error::new(ErrorKind::Project, message)
            .help("leave `end_param` and `window` out: the end is the largest cursor that comes"));
    };
    let gaps = covered.gaps(initial, Some(&end));
    let last = gaps.len().saturating_sub(1);
    let mut windows = Vec::new();
    for (at, gap) in gaps.into_iter().enumerate() {
        let first = windows.len();
        split(settings, kind, gap, &end, &mut windows)?;
        if at == last
            && let Some(window) = windows.get_mut(first)
            && window.from.as_ref() == covered.end()
        {
            window.asked_from = back(window.from.clone())?;
        }
    }
    Ok(windows)
}

/// Returns what is said of texts that are to be moved.
pub fn no_lookback(settings: &Settings) -> Error {
    let message = format!(
        "`lookback` moves times, dates and numbers, and the cursor `{}` holds texts",
        settings.given.cursor
    );
    Error::new(ErrorKind::Project, message)
        .help("give its column a type like timestamptz, or write `initial` as a time")
        .at(&settings.given.place)
}

/// Cuts a gap into parts.
fn split(
    settings: &Settings,
    kind: Kind,
    (from, to): Gap,
    end: &Position,
    windows: &mut Vec<Window>,
) -> Result<()> {
    let format = settings.given.format.as_ref();
    let to = to.unwrap_or_else(|| end.clone());
    let down = kind.as_written(to.clone(), format);
    // Where a covered range begins, a coarse format goes up into it: a part that it can't name would stay a gap.
    let to = match down < to && to < *end {
        true => up(kind, &to, end, format).unwrap_or(down),
        false => down,
    };
    let mut add = |from: Option<Position>, to: Position| {
        windows.push(Window {
            asked_from: from.clone(),
            from,
            to: Some(to),
        });
        windows.len()
    };
    let (Some(span), Some(mut at)) = (settings.given.window, from.clone()) else {
        if from.as_ref().is_none_or(|from| *from <= to) {
            add(from, to);
        }
        return Ok(());
    };
    while at < to {
        let mut next = at.clone();
        let mut written = at.clone();
        // A format that is coarser than the window makes it longer.
        while written <= at && next < to {
            let moved = kind.moved(&next, span).filter(|moved| *moved > next);
            next = moved.unwrap_or_else(|| to.clone()).min(to.clone());
            written = kind.as_written(next.clone(), format);
        }
        if written <= at {
            written = to.clone();
        }
        if add(Some(at), written.clone()) > MOST {
            let message = format!(
                "from {} to {to} there are more than {MOST} windows",
                from.unwrap_or(written)
            );
            return Err(
                Error::new(ErrorKind::Limit, message).help("make `window` longer, or `initial` later")
            );
        }
        at = written;
    }
    if from.as_ref() == Some(&to) {
        add(from, to);
    }
    Ok(())
}

/// Returns the first position behind another that a format can write; none where that lies behind the end.
fn up(kind: Kind, to: &Position, end: &Position, format: Option<&TimeFormat>) -> Option<Position> {
    let written = UNITS
        .iter()
        .filter_map(|span| Some(kind.as_written(kind.moved(to, *span)?, format)));
    let mut behind = written.filter(|written| written >= to);
    behind.next().filter(|written| written <= end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::DateTime;
    use sequor_planner::Place;
    use sequor_planner::ops::{Incremental, Order, TimeFormat, WriteMode};
    use sequor_planner::plan::Asks;

    use super::*;

    fn settings(change: impl FnOnce(&mut Incremental)) -> Settings {
        let mut given = Incremental {
            cursor: "at".into(),
            initial: None,
            start_param: None,
            end_param: None,
            format: None,
            lookback: None,
            lookback_is_time: false,
            delay: None,
            window: None,
            order: Order::None,
            on_missing: None,
            partition: Vec::new(),
            changed_parents: false,
            table: None,
            place: Place::default(),
        };
        change(&mut given);
        Settings {
            given,
            initial: Kind::Time.read("2024-01-01"),
            asks: Asks {
                start: true,
                end: true,
                partition: None,
                reads: None,
            },
            variable: String::new(),
            range: None,
            mode: WriteMode::Upsert(vec!["id".into()]),
            refresh: false,
            now: DateTime::from_timestamp(1_704_326_400, 123_456_000).unwrap(),
        }
    }

    fn shown(settings: &Settings, covered: &[(&str, &str)]) -> Vec<String> {
        let at = |text: &str| Kind::Time.read(text).unwrap();
        let mut ranges = Ranges::default();
        covered
            .iter()
            .for_each(|(from, to)| ranges.add((Some(at(from)), at(to))));
        let windows = windows(settings, Kind::Time, &ranges).unwrap();
        let text = |at: &Option<Position>| at.as_ref().map_or_else(String::new, ToString::to_string);
        let shown = windows
            .iter()
            .map(|w| format!("{}..{}", text(&w.asked_from), text(&w.to)));
        shown
            .map(|text| text.replace("T00:00:00Z", "").replace("2024-01-", ""))
            .collect()
    }

    #[test]
    fn all_until_now_then_what_is_new() {
        let plain = settings(|_| {});
        assert_eq!(shown(&plain, &[]), ["01..04T00:00:00.123456Z"]);
        assert_eq!(
            shown(&plain, &[("2024-01-01", "2024-01-03")]),
            ["03..04T00:00:00.123456Z"]
        );
        let unix = settings(|given| given.format = Some(TimeFormat::Unix));
        assert_eq!(shown(&unix, &[]), ["01..04"]);
    }

    #[test]
    fn gaps_are_asked_in_parts() {
        let parts = settings(|given| {
            given.window = Some(86_400.0);
            given.format = Some(TimeFormat::Unix);
        });
        assert_eq!(shown(&parts, &[]), ["01..02", "02..03", "03..04"]);
        assert_eq!(
            shown(&parts, &[("2024-01-02", "2024-01-03")]),
            ["01..02", "03..04"]
        );
        let coarse = settings(|given| {
            given.window = Some(3600.0);
            given.format = Some(TimeFormat::Strftime("%Y-%m-%d".into()));
        });
        assert_eq!(shown(&coarse, &[]), ["01..02", "02..03", "03..04"]);
    }

    #[test]
    fn lookback_widens_the_last_gap_alone() {
        let back = settings(|given| {
            given.lookback = Some(86_400.0);
            given.delay = Some(0.123_456);
        });
        assert_eq!(shown(&back, &[("2024-01-01", "2024-01-03")]), ["02..04"]);
        assert_eq!(
            shown(&back, &[("2024-01-02", "2024-01-03")]),
            ["01..02", "02..04"]
        );
        assert_eq!(shown(&back, &[]), ["01..04"]);
    }

    #[test]
    fn without_an_end_it_goes_on() {
        let mut open = settings(|_| {});
        open.asks.end = false;
        assert_eq!(shown(&open, &[]), ["01.."]);
        assert_eq!(shown(&open, &[("2024-01-01", "2024-01-03")]), ["03.."]);
        assert_eq!(shown(&open, &[("2024-01-02", "2024-01-03")]), ["01.."]);
    }
}
