# conanfile.py — kith as a Conan 2 package, and what a checkout needs to build with Conan's dependencies.
import pathlib
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import rmdir


class Kith(ConanFile):
    name = "kith"
    description = "An embedded vector database for C++20"
    license = "Apache-2.0"
    topics = ("vector-database", "nearest-neighbor", "hnsw", "embedded-database")
    settings = "os", "arch", "compiler", "build_type"
    package_type = "static-library"
    options = {"fPIC": [True, False], "headers_only": [True, False]}
    default_options = {"fPIC": True, "headers_only": False}
    exports_sources = "CMakeLists.txt", "LICENSE", "include/*", "src/*", "cmake/*"

    def set_version(self):
        header = pathlib.Path(self.recipe_folder, "include/kith/version.hpp").read_text(encoding="utf-8")
        self.version = ".".join(re.findall(r"#define KITH_VERSION_\w+ (\d+)", header))

    def configure(self):
        if self.options.headers_only:
            self.options.rm_safe("fPIC")
            self.package_type = "header-library"

    def requirements(self):
        if not self.options.headers_only:
            self.requires("lmdb/0.9.32")
            self.requires("roaring/4.7.2")
            self.requires("xsimd/14.2.0", visible=False)

    def package_id(self):
        if self.info.options.headers_only:
            self.info.settings.clear()

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["KITH_HEADERS_ONLY"] = bool(self.options.headers_only)
        for part in ("TESTS", "BENCHMARKS", "EXAMPLES"):
            toolchain.cache_variables[f"KITH_BUILD_{part}"] = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        # Conan writes its own; ours would look for dependencies where Conan does not put them.
        rmdir(self, pathlib.Path(self.package_folder, "lib", "cmake"))
        rmdir(self, pathlib.Path(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "kith")
        headers = self.cpp_info.components["headers"]
        headers.set_property("cmake_target_name", "kith::headers")
        headers.libdirs = []
        headers.bindirs = []
        if self.settings.get_safe("os") in ("Linux", "FreeBSD"):
            headers.system_libs = ["pthread"]
        if not self.options.headers_only:
            compiled = self.cpp_info.components["kith"]
            compiled.set_property("cmake_target_name", "kith::kith")
            compiled.set_property("pkg_config_name", "kith")
            compiled.libs = ["kith"]
            compiled.defines = ["KITH_COMPILED=1"]
            compiled.requires = ["headers", "lmdb::lmdb", "roaring::roaring"]
