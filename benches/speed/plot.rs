//! The picture: time relative to the limit, by segment size.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::record::Record;

/// The cases with so many segments of equal length are drawn.
const PREFIX: &str = "16 x ";
const PANELS: [(&str, &str); 2] = [
    ("copy out of segments", "16 segments to one buffer"),
    ("copy into segments", "one buffer to 16 segments"),
];
const SIZE: (u32, u32) = (960, 420);
const GREY: RGBColor = RGBColor(96, 96, 96);

/// Name and colour, in the order of the legend. Ours comes first.
const SERIES: [(&str, RGBColor); 4] = [
    ("iov_iter", RGBColor(0, 114, 178)),
    ("std", RGBColor(213, 94, 0)),
    ("vm-memory", RGBColor(0, 158, 115)),
    ("buf-list", RGBColor(204, 121, 167)),
];

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Segment length, and time relative to the limit.
type Point = (f64, f64);

/// Draws what was measured; fails if the cases that are drawn were not.
pub fn draw(records: &[Record], file: &Path) -> Drawn {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (title, panels) = root.split_vertically(34);
    let style = TextStyle::from(("sans-serif", 17).into_font()).color(&BLACK);
    title.draw_text(
        "Time of a copy, relative to a bare loop of memcpy (lower is faster)",
        &style,
        (16, 10),
    )?;
    for (area, (group, caption)) in panels.split_evenly((1, 2)).iter().zip(PANELS) {
        panel(area, caption, &lines(records, group)?)?;
    }
    root.present()?;
    Ok(())
}

/// The points of every series that the group has.
fn lines(records: &[Record], group: &str) -> Result<Vec<(usize, Vec<Point>)>, String> {
    let mut lines = vec![Vec::new(); SERIES.len()];
    for record in records.iter().filter(|record| record.group == group) {
        let len = record.name.strip_prefix(PREFIX).and_then(|len| len.parse().ok());
        let Some(len) = len else { continue };
        let all = record.alternatives.iter().copied().chain([("iov_iter", record.ours)]);
        for (name, time) in all {
            let series = SERIES.iter().position(|(start, _)| name.starts_with(start));
            let points = series.and_then(|series| lines.get_mut(series));
            points.ok_or(format!("{name} has no colour"))?.push((len, time / record.limit.1));
        }
    }
    let lines: Vec<_> = lines.into_iter().enumerate().filter(|(_, line)| line.len() > 1).collect();
    if lines.is_empty() {
        return Err(format!("nothing of \"{group}\" was measured that could be drawn"));
    }
    Ok(lines)
}

fn panel(area: &Area, caption: &str, lines: &[(usize, Vec<Point>)]) -> Drawn {
    let points = || lines.iter().flat_map(|(_, line)| line);
    let mut sizes: Vec<f64> = points().map(|point| point.0).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    // From one power of two to another, with some room for the legend.
    let fastest = points().fold(0.5_f64, |low, point| low.min(point.1));
    let slowest = points().fold(2.0_f64, |high, point| high.max(point.1));
    let ratios = fastest.log2().floor().exp2()..(slowest * 1.4).log2().ceil().exp2();
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 15))
        .margin(8)
        .margin_right(20)
        .x_label_area_size(44)
        .y_label_area_size(48)
        .build_cartesian_2d(
            (first..last).log_scale().with_key_points(sizes),
            ratios.log_scale().base(2.0),
        )?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .axis_style(GREY)
        .label_style(("sans-serif", 13))
        .x_desc("bytes in each segment")
        .x_label_formatter(&|len| format!("{len:.0}"))
        .y_label_formatter(&|ratio| format!("{ratio}"))
        .draw()?;
    chart
        .draw_series(LineSeries::new([(first, 1.0), (last, 1.0)], BLACK.stroke_width(2)))?
        .label("loop of memcpy")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.stroke_width(2)));
    for (series, line) in lines {
        let (name, color) = SERIES[*series];
        let style = color.stroke_width(if *series == 0 { 3 } else { 2 });
        chart
            .draw_series(LineSeries::new(line.iter().copied(), style).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", 13))
        .draw()?;
    Ok(())
}
