// benchmarks/ann/report.cpp — the table, the rows and the picture.
#include "report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <iterator>
#include <ostream>

namespace ann {
namespace {

/// Where a value lies in the picture.
struct Axis {
    double low, high;   // of the values
    double begin, end;  // of the pixels

    [[nodiscard]] double at(double value) const { return begin + (value - low) / (high - low) * (end - begin); }
};

constexpr std::array<const char*, 4> colors = {"#1b6ca8", "#d1495b", "#3a7d44", "#8e5ea2"};
constexpr double width = 720, height = 460;
constexpr double least_recall = 0.8;  // nobody asks for less

void write_line(std::ostream& out, double x1, double y1, double x2, double y2) {
    out << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2 << "\" stroke=\"#ddd\"/>\n";
}

void write_text(std::ostream& out, double x, double y, const std::string& text, const char* anchor = "middle") {
    out << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\">" << text << "</text>\n";
}

void write_grid(std::ostream& out, const Axis& x, const Axis& y) {
    for (const double recall : {0.80, 0.85, 0.90, 0.95, 0.99, 1.0}) {
        write_line(out, x.at(recall), y.begin, x.at(recall), y.end);
        std::string label = std::to_string(recall);
        label.resize(4);
        write_text(out, x.at(recall), y.begin + 18, label);
    }
    for (double decade = 1; decade < 1e7; decade *= 10) {
        for (const double step : {1, 2, 5}) {
            const double qps = decade * step;
            if (std::log10(qps) < y.low || std::log10(qps) > y.high) continue;
            write_line(out, x.begin, y.at(std::log10(qps)), x.end, y.at(std::log10(qps)));
            write_text(out, x.begin - 8, y.at(std::log10(qps)) + 4, std::to_string(static_cast<long>(qps)), "end");
        }
    }
}

const Result* find(std::span<const Result> results, const std::string& name) {
    for (const Result& result : results) {
        if (result.contender == name) return &result;
    }
    return nullptr;
}

}  // namespace

void write_csv(std::ostream& out, std::span<const Result> results) {
    out << "set,contender,ef,recall,qps,p50_us,build_s,bytes_per_vector\n" << std::fixed;
    for (const Result& result : results) {
        for (const Point& point : result.points) {
            out << result.set << ',' << result.contender << ',' << point.ef << ',' << std::setprecision(5)
                << point.recall << ',' << std::setprecision(1) << point.qps << ',' << point.p50_us << ','
                << std::setprecision(3) << result.build_s << ',' << std::setprecision(1) << result.bytes_per_vector
                << '\n';
        }
    }
}

void write_summary(std::ostream& out, std::span<const Result> results, const std::string& peer) {
    if (results.empty()) return;
    const Result* const other = find(results, peer);
    const auto ratio = [&](double ours, double theirs) {
        if (other != nullptr && ours > 0 && theirs > 0) {
            out << " (" << std::setprecision(2) << ours / theirs << "x)";
        } else {
            out << "        ";
        }
    };
    out << std::fixed << std::left << std::setw(10) << results[0].set << std::right;
    for (const char* title : {"QPS at .90", "QPS at .95", "QPS at .99", "build s", "bytes/vec"}) {
        out << std::setw(18) << title;
    }
    out << '\n';
    for (const Result& result : results) {
        out << "  " << std::left << std::setw(8) << result.contender << std::right;
        for (const double recall : {0.90, 0.95, 0.99}) {
            const double qps = qps_at(result, recall);
            out << std::setw(10) << std::setprecision(0) << qps;
            ratio(qps, other == nullptr ? 0 : qps_at(*other, recall));
        }
        out << std::setw(10) << std::setprecision(2) << result.build_s;
        ratio(result.build_s, other == nullptr ? 0 : other->build_s);
        out << std::setw(10) << std::setprecision(0) << result.bytes_per_vector;
        ratio(result.bytes_per_vector, other == nullptr ? 0 : other->bytes_per_vector);
        out << '\n';
    }
}

void write_plot(std::ostream& out, std::span<const Result> results) {
    double least = 1e300, most = 1;
    for (const Result& result : results) {
        for (const Point& point : result.points) {
            if (point.recall < least_recall) continue;
            least = std::min(least, point.qps);
            most = std::max(most, point.qps);
        }
    }
    if (least > most) least = most / 10;
    const Axis x{least_recall, 1, 80, width - 20};
    const Axis y{std::log10(least) - 0.1, std::log10(most) + 0.1, height - 60, 50};
    out << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
        << "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    write_grid(out, x, y);
    write_text(out, width / 2, height - 16, "recall");
    write_text(out, width / 2, 24, (results.empty() ? "" : results[0].set + ": ") + "queries a second, one thread");
    for (std::size_t i = 0; i < results.size(); ++i) {
        const char* const color = colors[i % colors.size()];
        out << "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" << color << "\" points=\"";
        for (const Point& point : results[i].points) {
            if (point.recall >= least_recall) out << x.at(point.recall) << ',' << y.at(std::log10(point.qps)) << ' ';
        }
        out << "\"/>\n<g fill=\"" << color << "\">\n";
        for (const Point& point : results[i].points) {
            if (point.recall < least_recall) continue;
            out << "<circle r=\"3\" cx=\"" << x.at(point.recall) << "\" cy=\"" << y.at(std::log10(point.qps))
                << "\"/>\n";
        }
        write_text(out, x.begin + 16, y.begin - 40 + 18 * static_cast<double>(i), results[i].contender, "start");
        out << "</g>\n";
    }
    out << "</svg>\n";
}

}  // namespace ann
