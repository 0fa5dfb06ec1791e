// For people with an Android SDK. NOT RUN in this repository's CI, which builds and tests the same sources with Maven (see README.md).
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}
rootProject.name = "fieldgrid-sample"
