// benchmarks/store/common.hpp — what the questions about collections on disk share: documents, folders, clocks.
#pragma once

#include <kith/kith.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace store {

inline constexpr std::size_t dim = 384;

struct Document {
    std::string id;
    std::int64_t stamp = 0;
    double price = 0;
    std::string kind;
    std::array<float, dim> vector{};
};
using Documents =
    kith::Schema<Document, kith::Key<&Document::id>, kith::Field<&Document::stamp>, kith::Field<&Document::price>,
                 kith::Field<&Document::kind>, kith::VectorField<&Document::vector, kith::Cosine>>;

/// The set `text` of the folder `data`, or vectors around some centres where it is empty.
/// Throws: std::runtime_error naming the file that is missing or malformed.
std::vector<Document> documents(const std::filesystem::path& data, std::size_t count);

/// Where the vectors of documents() come from, in words.
std::string source_of(const std::filesystem::path& data);

/// A new folder inside another, removed with all it holds when this goes.
class Folder {
public:
    explicit Folder(const std::filesystem::path& inside);
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// Wall clock that act() takes.
double seconds(const std::function<void()>& act);

/// CPU time of all threads of this process so far, in seconds.
double cpu_seconds();

/// The value below which the share `part` lies. Requires: values is not empty.
double quantile(std::vector<double> values, double part);
inline double median(std::vector<double> values) {
    return quantile(std::move(values), 0.5);
}

/// The median time of writing `bytes` at the end of a file and syncing it, `times` times.
/// Throws: std::runtime_error.
double synced_write(const Folder& folder, std::size_t bytes, int times);

/// Runs act and prints what it raises; the exit code of the program.
int run_main(const char* name, const std::function<void()>& act);

}  // namespace store
