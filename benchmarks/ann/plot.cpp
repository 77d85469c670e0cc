// benchmarks/ann/plot.cpp — axes, lines, and labels that keep out of each other's way.
#include "plot.hpp"

#include "curve.hpp"
#include "table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace ann {
namespace {

/// Where a value lies in the picture.
struct Axis {
    double low, high;   // of the values
    double begin, end;  // of the pixels

    [[nodiscard]] double at(double value) const { return begin + (value - low) / (high - low) * (end - begin); }
};

constexpr double panel_width = 640, panel_height = 400, title_height = 44;
constexpr double left = 56, right = 148, top = 8, bottom = 46;
constexpr double line_height = 17;    // of the labels
constexpr double least_recall = 0.8;  // nobody asks for less
constexpr double most_recall = 0.9995;

/// Colours on light and on dark paper, and how broad the line is: kith stands out, its peers keep their distance.
struct Ink {
    std::string_view light, dark;
    double width;
};
constexpr std::array<Ink, 6> kith_inks = {{{"#0550ae", "#79c0ff", 2.6},
                                           {"#8250df", "#d2a8ff", 2.6},
                                           {"#0f7b86", "#56d4dd", 2.6},
                                           {"#bf3989", "#ff9bce", 2.6},
                                           {"#1f6feb", "#a5d6ff", 2.6},
                                           {"#512a97", "#e2c5ff", 2.6}}};
constexpr std::array<Ink, 1> hnswlib_inks = {{{"#bc4c00", "#ffa657", 2}}};
constexpr std::array<Ink, 5> other_inks = {{{"#1a7f37", "#56d364", 1.4},
                                            {"#6e7781", "#8b949e", 1.4},
                                            {"#9a6700", "#d4a72c", 1.4},
                                            {"#a40e26", "#ff7b72", 1.4},
                                            {"#5c7a0a", "#b5cf4d", 1.4}}};

/// An ink for each result, by its library and its place among that library's.
std::vector<Ink> choose_inks(std::span<const Result> results) {
    std::vector<Ink> inks;
    std::size_t ours = 0, others = 0;
    for (const Result& result : results) {
        if (result.contender.starts_with("kith")) {
            inks.push_back(kith_inks[ours++ % kith_inks.size()]);
        } else if (result.contender.starts_with("hnswlib")) {
            inks.push_back(hnswlib_inks[0]);
        } else {
            inks.push_back(other_inks[others++ % other_inks.size()]);
        }
    }
    return inks;
}

/// Each step towards 1 is as wide when it halves what is missed.
double stretched(double recall) {
    return -std::log10(1 - std::min(recall, most_recall));
}

std::string number(double value) {
    std::ostringstream text;
    text << std::setprecision(6) << value;
    return text.str();
}

/// 500, 2k, 50k.
std::string short_form(double qps) {
    return qps >= 1000 ? number(qps / 1000) + "k" : number(qps);
}

void write_text(std::ostream& out, double x, double y, const std::string& text, const char* anchor,
                const std::string& style = "quiet") {
    out << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\" class=\"" << style << "\">"
        << text << "</text>\n";
}

void write_grid_line(std::ostream& out, double x1, double y1, double x2, double y2) {
    out << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2 << "\" class=\"grid\"/>\n";
}

void write_style(std::ostream& out, const std::vector<Ink>& inks) {
    const auto rules = [&](bool dark) {
        out << ".paper{fill:" << (dark ? "#0d1117" : "#ffffff") << "}.strong{fill:" << (dark ? "#e6edf3" : "#1f2328")
            << ";font-weight:600}.quiet{fill:" << (dark ? "#9198a1" : "#59636e")
            << "}.grid{stroke:" << (dark ? "#2a313c" : "#e1e6eb") << "}\n";
        for (std::size_t i = 0; i < inks.size(); ++i) {
            const std::string_view color = dark ? inks[i].dark : inks[i].light;
            out << ".line" << i << "{stroke:" << color << ";fill:none}.ink" << i << "{fill:" << color << "}\n";
        }
    };
    out << "<style>\n";
    rules(false);
    out << "@media (prefers-color-scheme:dark){\n";
    rules(true);
    out << "}\n</style>\n";
}

void write_grid(std::ostream& out, const Axis& x, const Axis& y, std::size_t k) {
    for (const double recall : {0.80, 0.90, 0.95, 0.98, 0.99, 0.995, 0.999}) {
        write_grid_line(out, x.at(stretched(recall)), y.begin, x.at(stretched(recall)), y.end);
        write_text(out, x.at(stretched(recall)), y.begin + 18, fixed(recall, recall > 0.99 ? 3 : 2).substr(1),
                   "middle");
    }
    for (double decade = 1; decade < 1e8; decade *= 10) {
        for (const double step : {1, 2, 5}) {
            const double qps = decade * step;
            if (std::log10(qps) < y.low || std::log10(qps) > y.high) continue;
            write_grid_line(out, x.begin, y.at(std::log10(qps)), x.end, y.at(std::log10(qps)));
            write_text(out, x.begin - 8, y.at(std::log10(qps)) + 4, short_form(qps), "end");
        }
    }
    write_text(out, (x.begin + x.end) / 2, y.begin + 38, "recall@" + std::to_string(k), "middle");
}

struct Label {
    std::size_t result;
    double x, y;   // of the point it names
    double place;  // of its own middle, from the top
};

/// Moves labels apart, keeping their order and as near to their points as the others allow.
void spread(std::vector<Label>& labels, double first, double last) {
    std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
    double least = first;
    for (Label& label : labels) {
        label.place = std::max(label.y, least);
        least = label.place + line_height;
    }
    double most = last;
    for (std::size_t i = labels.size(); i-- > 0;) {
        labels[i].place = std::min(labels[i].place, most);
        most = labels[i].place - line_height;
    }
}

/// The points of a curve that are in the picture, and one more where the line enters it.
std::vector<Point> visible(const Result& result, std::size_t k) {
    const Curve* const curve = curve_for(result, k);
    if (curve == nullptr) return {};
    std::vector<Point> points = frontier(*curve);
    const auto inside =
        std::find_if(points.begin(), points.end(), [](const Point& point) { return point.recall >= least_recall; });
    if (inside == points.end()) return {};
    if (inside != points.begin()) points.erase(points.begin(), inside - 1);
    // Beyond the right edge all points would stand on it: the first is the best of them.
    const auto beyond =
        std::find_if(points.begin(), points.end(), [](const Point& point) { return point.recall >= most_recall; });
    if (beyond != points.end()) points.erase(beyond + 1, points.end());
    return points;
}

Axis speeds(std::span<const Result> results, std::size_t k, double begin, double end) {
    double least = 1e300, most = 1;
    for (const Result& result : results) {
        for (const Point& point : visible(result, k)) {
            if (point.recall < least_recall) continue;
            least = std::min(least, point.qps);
            most = std::max(most, point.qps);
        }
    }
    constexpr double margin = 0.08;
    return {std::log10(std::min(least, most)) - margin, std::log10(most) + margin, begin, end};
}

void write_panel(std::ostream& out, std::span<const Result> results, const std::vector<Ink>& inks, std::size_t k) {
    const Axis x{stretched(least_recall), stretched(most_recall), left, panel_width - right};
    const Axis y = speeds(results, k, panel_height - bottom, top);
    write_grid(out, x, y, k);
    out << "<clipPath id=\"frame" << k << "\"><rect x=\"" << x.begin << "\" y=\"0\" width=\"" << x.end - x.begin + 6
        << "\" height=\"" << panel_height << "\"/></clipPath>\n";
    std::vector<Label> labels;
    for (std::size_t i = 0; i < results.size(); ++i) {
        const std::vector<Point> points = visible(results[i], k);
        if (points.empty()) continue;
        out << "<g clip-path=\"url(#frame" << k << ")\"><polyline class=\"line" << i << "\" stroke-width=\""
            << inks[i].width << "\" stroke-linejoin=\"round\" points=\"";
        for (const Point& point : points) {
            out << x.at(stretched(point.recall)) << ',' << y.at(std::log10(point.qps)) << ' ';
        }
        out << "\"/>\n";
        for (const Point& point : points) {
            if (point.recall < least_recall) continue;
            out << "<circle class=\"ink" << i << "\" r=\"" << inks[i].width + 0.6 << "\" cx=\""
                << x.at(stretched(point.recall)) << "\" cy=\"" << y.at(std::log10(point.qps)) << "\"/>\n";
        }
        out << "</g>\n";
        labels.push_back({i, x.at(stretched(points.back().recall)), y.at(std::log10(points.back().qps)), 0});
    }
    spread(labels, y.end, y.begin);
    for (const Label& label : labels) {
        const std::string at = std::to_string(label.result);
        out << "<polyline class=\"line" << at << "\" stroke-width=\"0.8\" stroke-dasharray=\"2 3\" points=\"" << label.x
            << ',' << label.y << ' ' << x.end + 8 << ',' << label.y << ' ' << x.end + 18 << ',' << label.place
            << "\"/>\n";
        write_text(out, x.end + 22, label.place + 4, results[label.result].contender, "start", "ink" + at);
    }
}

}  // namespace

void write_plot(std::ostream& out, std::span<const Result> results, const Plan& plan) {
    if (results.empty()) return;
    const double width = panel_width;
    const double height = panel_height * static_cast<double>(plan.ks.size()) + title_height;
    const std::vector<Ink> inks = choose_inks(results);
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height << "\" width=\""
        << width << "\" height=\"" << height << "\" font-family=\"-apple-system,Segoe UI,Helvetica,Arial,sans-serif\" "
        << "font-size=\"13\">\n";
    write_style(out, inks);
    out << "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n";
    write_text(out, left, 28,
               results[0].set + ", " + grouped(static_cast<double>(results[0].rows)) + " × " +
                   std::to_string(results[0].dim) + ": queries a second on one core",
               "start", "strong");
    for (std::size_t i = 0; i < plan.ks.size(); ++i) {
        out << "<g transform=\"translate(0 " << title_height + panel_height * static_cast<double>(i) << ")\">\n";
        write_panel(out, results, inks, plan.ks[i]);
        out << "</g>\n";
    }
    out << "</svg>\n";
}

}  // namespace ann
